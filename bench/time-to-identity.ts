/** How long a workload waits for its SVID. */

import { dial } from '../src/rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Entry } from '../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createEntries } from './kit/agent-client.ts';
import { BenchDomain } from './kit/domain.ts';
import { figure, percentile, title } from './kit/figures.ts';

const CONNECTIONS = 1000;
const ENTRIES = 10;
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

  const delays: number[] = [];
  for (let i = 1; i <= ENTRIES; i++) {
    const began = performance.now();
    await entries.batchCreateEntry({
      entries: [
        {
          parentId: { trustDomain: 'bench.test', path: '/node' },
          spiffeId: { trustDomain: 'bench.test', path: `/late/${i}` },
          selectors: [{ type: 'unix', value: `uid:${uid}` }],
        },
      ],
    });
    await firstSvids(domain, 1 + i);
    delays.push(performance.now() - began);
  }
  figure('entry create to SVID, p50 (SPIRE 4900)', percentile(delays, 50), 'ms');
  figure('entry create to SVID, worst', Math.max(...delays), 'ms');
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
