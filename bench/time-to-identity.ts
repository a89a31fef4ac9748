/** How long a workload waits for its SVID. */

import { setTimeout as pause } from 'node:timers/promises';
import { type Client, dial } from '../src/rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Entry } from '../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createEntries } from './kit/agent-client.ts';
import { BenchDomain, TRUST_DOMAIN } from './kit/domain.ts';
import { figure, percentile, title } from './kit/figures.ts';

const CONNECTIONS = 1000;
const ENTRIES = 200;
/** So that one is over when the next begins, and they do not all fall on one beat of a poll. */
const PAUSE_MILLISECONDS = 37;
/** By then the agent has heard that the entry of the workload before is gone. */
const FORGOTTEN_MILLISECONDS = 151;
const HEADERS = { headers: { 'workload.spiffe.io': 'true' } };

export async function timeToIdentity(): Promise<void> {
  title('Time to identity');
  await using domain = await BenchDomain.create();
  const server = await domain.startServer();
  const agent = await domain.startAgent();
  figure('server: start to ready (goal 400)', server.milliseconds, 'ms');
  figure('agent: start to ready, attestation included (goal 400)', agent.milliseconds, 'ms');
  using admin = dial({ address: `unix:${domain.path('server.sock')}` });
  const entries = admin.client(Entry);
  const uid = process.getuid?.() ?? 0;
  const selector = `unix:uid:${uid}`;

  await createEntries(entries, 1, { parentPath: '/node', selector });
  await firstSvids(domain, 1);
  const waits: number[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const began = performance.now();
    await firstSvids(domain, 1);
    waits.push(performance.now() - began);
  }
  // The first hundred warm both ends up.
  const warm = waits.slice(100);
  figure('connect to cached SVID, p50 (goal 3)', percentile(warm, 50), 'ms');
  figure('connect to cached SVID, p99 (goal 8)', percentile(warm, 99), 'ms');

  await openStream(domain, entries, uid);
  await newWorkload(domain, entries, uid);
}

type Entries = Client<typeof Entry>;

async function createEntry(entries: Entries, path: string, uid: number): Promise<string> {
  const { results } = await entries.batchCreateEntry({
    entries: [
      {
        parentId: { trustDomain: TRUST_DOMAIN, path: '/node' },
        spiffeId: { trustDomain: TRUST_DOMAIN, path },
        selectors: [{ type: 'unix', value: `uid:${uid}` }],
      },
    ],
  });
  return results[0]?.entry?.id ?? '';
}

/** A workload that watches its identities, one of which is new: from the call that makes the entry to the SVID. */
async function openStream(domain: BenchDomain, entries: Entries, uid: number): Promise<void> {
  using channel = dial({ address: `unix:${domain.path('agent.sock')}` });
  const updates = channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, HEADERS);
  const reader = updates[Symbol.asyncIterator]();
  await reader.next();
  const delays: number[] = [];
  for (let i = 1; i <= ENTRIES; i++) {
    const path = `/late/${i}`;
    const began = performance.now();
    const id = await createEntry(entries, path, uid);
    for (;;) {
      const { value, done } = await reader.next();
      if (done) throw new Error('the stream ended');
      if (value.svids.some(({ spiffeId }) => spiffeId.endsWith(path))) break;
    }
    delays.push(performance.now() - began);
    await entries.batchDeleteEntry({ ids: [id] });
    await pause(PAUSE_MILLISECONDS);
  }
  await reader.return?.();
  figure('entry create to SVID on an open stream, p50 (SPIRE 4900)', percentile(delays, 50), 'ms');
  figure('entry create to SVID on an open stream, p99 (goal 100)', percentile(delays, 99), 'ms');
}

/** A workload that nobody knew before, and that connects as soon as its entry was made. */
async function newWorkload(domain: BenchDomain, entries: Entries, uid: number): Promise<void> {
  const { entries: known } = await entries.listEntries({});
  const workloads = known.filter(({ spiffeId }) => spiffeId?.path !== '/node');
  await entries.batchDeleteEntry({ ids: workloads.map(({ id }) => id) });
  await pause(1000);
  const delays: number[] = [];
  for (let i = 1; i <= ENTRIES; i++) {
    const path = `/new/${i}`;
    const began = performance.now();
    const id = await createEntry(entries, path, uid);
    await firstSvid(domain, path);
    delays.push(performance.now() - began);
    await entries.batchDeleteEntry({ ids: [id] });
    await pause(FORGOTTEN_MILLISECONDS);
  }
  figure('entry create, then connect, to SVID, p50 (SPIRE 4900)', percentile(delays, 50), 'ms');
  figure('entry create, then connect, to SVID, p99 (goal 100)', percentile(delays, 99), 'ms');
}

async function firstSvid(domain: BenchDomain, path: string): Promise<void> {
  using channel = dial({ address: `unix:${domain.path('agent.sock')}` });
  for await (const { svids } of channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, HEADERS)) {
    if (svids.some(({ spiffeId }) => spiffeId.endsWith(path))) return;
  }
}

/** Connects anew, and waits until there are so many SVIDs. */
async function firstSvids(domain: BenchDomain, count: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    using channel = dial({ address: `unix:${domain.path('agent.sock')}` });
    try {
      for await (const { svids } of channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, HEADERS)) {
        if (svids.length >= count) return;
      }
    } catch {
      // No entry yet: ask again.
    }
  }
  throw new Error('no SVID in 30 s');
}
