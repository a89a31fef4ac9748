import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { attestWithToken, mintIdentity } from '../kit/server-callers.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { assertGood, createEntry, createToken, entryIds } from './plain-calls.ts';

const BUSY_MILLISECONDS = 300;
const LOCKED = 'datastore-sql: database is locked (another process holds the lock on it)';

/** A server that waits so long for the lock, and another process that has the database open. */
async function start() {
  await using opened = new AsyncDisposableStack();
  const domain = opened.use(
    await TrustDomainProcesses.create({ server: 'ratelimit { attestation = false }' }),
  );
  const path = domain.path('server/datastore.sqlite3');
  const conf = await readFile(domain.path('server.conf'), 'utf8');
  const waiting = conf.replace(path, `${path}?_busy_timeout=${BUSY_MILLISECONDS}`);
  assert.notEqual(waiting, conf);
  await writeFile(domain.path('server.conf'), waiting);
  await domain.startServer();
  const other = opened.use(new DatabaseSync(path));
  const running = opened.move();
  return { domain, other, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

test('a database that another process holds locked fails calls that write, until it is free', async () => {
  await using world = await start();
  const { domain, other } = world;
  await createToken(domain, 'before');
  assert.equal(await createEntry(domain, 'before'), 'OK');

  other.exec('begin immediate');
  assert.equal(
    await createEntry(domain, 'meanwhile'),
    `code 13: failed to create entry: ${LOCKED}`,
  );
  await assert.rejects(createToken(domain, 'meanwhile'), {
    kind: 'internal',
    message: `failed to create token: ${LOCKED}`,
  });
  await assert.rejects(attestWithToken(domain, 'before'), {
    kind: 'internal',
    message: `failed to fetch join token: ${LOCKED}`,
  });
  // What needs no write goes on.
  assert.deepEqual(await entryIds(domain), ['before']);
  await mintIdentity(domain, domain.id('/minted'));
  assert.ok(domain.server.running);
  other.exec('rollback');

  assert.equal(await createEntry(domain, 'meanwhile'), 'OK');
  await createToken(domain, 'meanwhile');
  await assertGood(domain, 'before');
  assert.deepEqual((await entryIds(domain)).toSorted(), ['before', 'meanwhile']);
});

test('a lock that is shorter than the time-out only makes callers wait', async () => {
  await using world = await start();
  const { domain, other } = world;
  other.exec('begin immediate');
  const created = createEntry(domain, 'patient');
  await pause(BUSY_MILLISECONDS / 3);
  other.exec('rollback');
  assert.equal(await created, 'OK');
});
