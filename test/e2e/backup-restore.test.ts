import assert from 'node:assert/strict';
import { copyFile, rm } from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createEntry, createToken, entryIds } from '../faults/plain-calls.ts';
import { eventually } from '../kit/programs.ts';
import { attestWithToken, dialLocal, dialNetwork } from '../kit/server-callers.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

const database = (domain: TrustDomainProcesses) => domain.path('server/datastore.sqlite3');
const keys = (domain: TrustDomainProcesses) => domain.path('server/keys.json');

/** As docs/operations.md says: the database by SQLite's own means, then the keys, while the server runs. */
async function backUp(domain: TrustDomainProcesses): Promise<void> {
  using source = new DatabaseSync(database(domain), { readOnly: true });
  await backup(source, domain.path('backup.sqlite3'));
  await copyFile(keys(domain), domain.path('backup.json'));
}

async function restore(domain: TrustDomainProcesses, { withKeys = true } = {}): Promise<void> {
  await domain.server.stop();
  for (const end of ['-wal', '-shm']) await rm(`${database(domain)}${end}`, { force: true });
  await copyFile(domain.path('backup.sqlite3'), database(domain));
  if (withKeys) await copyFile(domain.path('backup.json'), keys(domain));
  await domain.startServer();
}

async function start(t: TestContext): Promise<TrustDomainProcesses> {
  return startServerOnly(t, { server: 'ratelimit { attestation = false }' });
}

async function ownBundle(domain: TrustDomainProcesses) {
  using local = dialLocal(domain);
  return await local.client(Bundle).getBundle({});
}

test('a backup of a running server that is written to brings back all that was acknowledged before', async (t) => {
  const domain = await start(t);
  await createToken(domain, 'agent');
  const agent = await attestWithToken(domain, 'agent');
  const kept: string[] = [];
  const stopped = new AbortController();
  const writing = (async () => {
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      assert.equal(await createEntry(domain, `entry-${turn}`), 'OK');
      kept.push(`entry-${turn}`);
    }
  })();
  await eventually(() => kept.length > 20, 'entries');
  const before = [...kept];
  await backUp(domain);
  stopped.abort();
  await writing;
  const bundle = await ownBundle(domain);
  await createToken(domain, 'later');

  await restore(domain);
  const restored = await entryIds(domain);
  assert.deepEqual(
    before.filter((id) => !restored.includes(id)),
    [],
  );
  assert.deepEqual(await ownBundle(domain), bundle);
  using network = dialNetwork(domain, agent);
  await network.client(Entry).getAuthorizedEntries({});
  await assert.rejects(attestWithToken(domain, 'later'), { kind: 'invalid' });
});

test('a restored database without its keys gets new authorities, and says so', async (t) => {
  const domain = await start(t);
  assert.equal(await createEntry(domain, 'kept'), 'OK');
  await backUp(domain);
  const former = await ownBundle(domain);
  await domain.server.stop();
  await rm(keys(domain));
  await restore(domain, { withKeys: false });
  await domain.server.says(/There is not a CA journal record that matches any/);
  assert.deepEqual(await entryIds(domain), ['kept']);
  const { x509Authorities } = await ownBundle(domain);
  assert.equal(x509Authorities.length, former.x509Authorities.length + 1);
});
