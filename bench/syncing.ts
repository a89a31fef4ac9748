/** The server's CPU for what agents ask often, and whether a large list holds up everybody else. */
import { setTimeout as pause } from 'node:timers/promises';
import { authorizedEntryMask } from '../src/agent/sync/entry-from-server.ts';
import { buildCsr } from '../src/crypto/csr.ts';
import { type Client, dial } from '../src/rpc/dial.ts';
import { Agent } from '../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Entry } from '../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { attest, attestAsAgent, createEntries } from './kit/agent-client.ts';
import { BenchDomain, cpuMilliseconds } from './kit/domain.ts';
import { figure, title } from './kit/figures.ts';
import { startWatchedServer } from './kit/loop-watch.ts';

const ENTRIES = 1000;
const SYNCS = 300;
const ALL_ENTRIES = 20_000;
const LISTS = 5;
const ATTESTATIONS = 300;

export async function syncing(): Promise<void> {
  title('Syncing and attesting');
  await using domain = await BenchDomain.create();
  const watch = await startWatchedServer(domain);
  const client = await attestAsAgent(domain);
  using admin = client.admin;
  using channel = client.channel;
  const adminEntries = admin.client(Entry);
  const entries = channel.client(Entry);
  const below = { parentPath: client.agentPath, selector: 'unix:uid:1' };
  const ids = await createEntries(adminEntries, ENTRIES, below);

  /** Milliseconds of the server's CPU for each. */
  const cpuEach = async (count: number, work: () => Promise<void>) => {
    for (let i = 0; i < count / 10; i++) await work();
    const before = await cpuMilliseconds(watch.program);
    for (let i = 0; i < count; i++) await work();
    return ((await cpuMilliseconds(watch.program)) - before) / count;
  };
  const first = await cpuEach(SYNCS, () => sync(entries, ids));
  figure(`first sync of ${ENTRIES} entries: server CPU (SPIRE 5.6)`, first, 'ms');
  const unchanged = await cpuEach(SYNCS, () => sync(entries, []));
  figure('sync when nothing changed (SPIRE 1.75)', unchanged, 'ms');
  const whole = await cpuEach(SYNCS, async () => {
    await entries.getAuthorizedEntries({ outputMask: authorizedEntryMask });
  });
  figure('the same entries by GetAuthorizedEntries', whole, 'ms');

  const tokens: string[] = [];
  for (let i = 0; i < ATTESTATIONS * 2; i++) {
    tokens.push((await admin.client(Agent).createJoinToken({ ttl: 600 })).value);
  }
  const csr = await buildCsr({ uris: [], dnsNames: [] }, client.key);
  const attestation = await cpuEach(ATTESTATIONS, async () => {
    await attest(domain, tokens.pop() ?? '', csr);
  });
  figure('an attestation by join_token, TLS included (SPIRE 4.2)', attestation, 'ms');

  await createEntries(adminEntries, ALL_ENTRIES, { ...below, parentPath: '/elsewhere' });
  using large = dial({ address: `unix:${domain.path('server.sock')}`, maxReceiveBytes: 2 ** 30 });
  const lister = large.client(Entry);
  await lister.listEntries({});
  await pause(1000);
  await watch.during(`listing ${ALL_ENTRIES} entries`, async () => {
    for (let i = 0; i < LISTS; i++) await lister.listEntries({});
  });
}

/** As an agent does: revisions first, then the entries that it does not have. */
async function sync(entries: Client<typeof Entry>, wanted: readonly string[]): Promise<void> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  async function* requests() {
    yield { outputMask: authorizedEntryMask };
    await asked;
    if (wanted.length > 0) yield { ids: [...wanted] };
    await done;
  }
  let received = 0;
  for await (const answer of entries.syncAuthorizedEntries(requests())) {
    received += answer.entries.length;
    if (answer.more) continue;
    if (answer.entryRevisions.length > 0) ask();
    if (answer.entryRevisions.length > 0 && wanted.length > 0) continue;
    finish();
  }
  if (received !== wanted.length) throw new Error(`${received} of ${wanted.length} entries`);
}
