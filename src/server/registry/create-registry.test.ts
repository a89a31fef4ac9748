import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  newAgent,
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { kindOf } from '../../base/fault.ts';
import { type Log, silentLog } from '../../ops/log.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore } from '../datastore/contract.ts';
import type { Registry } from './contract.ts';
import { createRegistry } from './create-registry.ts';

const trustDomain = TrustDomain.parse('test');
const [B, C] = [TrustDomain.parse('b.test'), TrustDomain.parse('c.test')];

async function start(t: TestContext) {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const datastore = await openTestDatastore(t, file);
  const registry = await createRegistry({ datastore, trustDomain, log: silentLog });
  return { file, datastore, registry };
}

/** What memory holds is what a server that starts now would read. */
async function assertCurrent(registry: Registry, datastore: Datastore): Promise<void> {
  assert.deepEqual(registry.entries.rows(), await datastore.entries.all(noneSkipped));
  assert.deepEqual(registry.agents.rows(), await datastore.agents.all(noneSkipped));
  assert.deepEqual(registry.bundles.rows(), await datastore.bundles.all(noneSkipped));
}

test('a server that starts has what the one before it wrote', async (t) => {
  const { datastore, registry } = await start(t);
  await registry.bundles.create(emptyBundle(B));
  await registry.entries.create(newEntry({ id: 'one', federatesWith: [B] }));
  await registry.agents.attested(newAgent({ selectors: ['k:a'] }));
  const second = await createRegistry({ datastore, trustDomain, log: silentLog });
  assert.deepEqual(second.entries.rows(), registry.entries.rows());
  assert.deepEqual(second.agents.rows(), registry.agents.rows());
  assert.deepEqual(second.bundles.rows(), registry.bundles.rows());
  assert.equal(second.entries.get('one')?.federatesWith[0]?.name, 'b.test');
});

test('a similar entry that another server made is known afterwards', async (t) => {
  const { datastore, registry } = await start(t);
  const { row } = await datastore.entries.create(newEntry({ id: 'theirs' }));
  assert.equal(registry.entries.get('theirs'), undefined);
  const { entry, created } = await registry.entries.create(newEntry({ id: 'ours' }));
  assert.equal(created, false);
  assert.deepEqual(entry, row.value);
  assert.equal(registry.entries.get('theirs'), entry);
});

test('what another server deleted is forgotten when a write finds it gone', async (t) => {
  const { datastore, registry } = await start(t);
  for (const id of ['a', 'b']) await registry.entries.create(newEntry({ id, spiffeId: `/${id}` }));
  const agent = newAgent({ selectors: ['k:a'] });
  await registry.agents.attested(agent);
  await datastore.entries.delete('a');
  await datastore.entries.delete('b');
  await datastore.agents.delete(agent.id);
  const gone = { kind: 'not-found' };
  await assert.rejects(registry.entries.delete('a'), gone);
  await assert.rejects(registry.entries.update(newEntry({ id: 'b' }), new Set()), gone);
  assert.deepEqual(registry.entries.rows(), []);
  await assert.rejects(registry.agents.ban(agent.id), gone);
  assert.deepEqual(registry.agents.rows(), []);
});

test("another server's writes are taken over when it is told of them", async (t) => {
  const { datastore, registry } = await start(t);
  const agent = newAgent({ selectors: ['k:a'] });
  const alias = newEntry({
    id: 'alias',
    parentId: '/spire/server',
    spiffeId: '/group',
    selectors: ['k:a'],
  });
  await datastore.bundles.create(emptyBundle(B));
  await datastore.entries.create(alias);
  await datastore.entries.create(newEntry({ id: 'one', parentId: '/group', federatesWith: [B] }));
  await datastore.agents.attested(agent);
  await registry.applied({
    entryIds: ['alias', 'one', 'none'],
    agents: [agent.id],
    bundles: [B, C],
  });
  await assertCurrent(registry, datastore);
  assert.deepEqual(
    registry.entries.authorizedFor(agent.id).map(({ id }) => id),
    ['one'],
  );

  await datastore.entries.update(newEntry({ id: 'one', hint: 'x' }), new Set(['hint']));
  await datastore.agents.ban(agent.id);
  await datastore.entries.delete('alias');
  await registry.applied({ entryIds: ['alias', 'one'], agents: [agent.id] });
  await assertCurrent(registry, datastore);
  assert.deepEqual(registry.entries.authorizedFor(agent.id), []);

  await datastore.bundles.delete(B, 'delete');
  await datastore.agents.delete(agent.id);
  await registry.applied({ entryIds: ['one'], agents: [agent.id], bundles: [B] });
  await assertCurrent(registry, datastore);
});

test('being told of what it knows changes nothing', async (t) => {
  const { registry } = await start(t);
  const agent = newAgent({ selectors: ['k:a'] });
  await registry.agents.attested(agent);
  await registry.bundles.create(emptyBundle(B));
  const { entry } = await registry.entries.create(
    newEntry({ id: 'one', parentId: agent.id.path, federatesWith: [B] }),
  );
  const answer = registry.entries.authorizedFor(agent.id);
  const { revision } = registry.entries;
  registry.bundles.onChange(() => assert.fail('nothing changed'));
  await registry.applied({ entryIds: ['one'], agents: [agent.id], bundles: [B] });
  assert.equal(registry.entries.get('one'), entry);
  assert.equal(registry.entries.authorizedFor(agent.id), answer);
  assert.equal(registry.entries.revision, revision);
});

test('a doubt about an agent is settled by what is stored now', async (t) => {
  const { datastore, registry } = await start(t);
  const agent = newAgent();
  assert.equal(await registry.agents.confirm(agent.id), undefined);
  await datastore.agents.attested(agent); // by another server
  assert.equal(registry.agents.get(agent.id), undefined);
  assert.deepEqual(await registry.agents.confirm(agent.id), agent);
  assert.deepEqual(registry.agents.get(agent.id), agent);
  await datastore.agents.delete(agent.id);
  assert.equal(await registry.agents.confirm(agent.id), undefined);
  assert.equal(registry.agents.get(agent.id), undefined);
});

test('an agent is followed from attestation to ban', async (t) => {
  const { datastore, registry } = await start(t);
  const { agents } = registry;
  const agent = newAgent();
  await agents.attested(agent);
  await agents.update(agent.id, { newSerialNumber: '2', newExpiresAt: 3 });
  assert.equal((await agents.activate(agent.id, '2')).serialNumber, '2');
  assert.equal(agents.get(agent.id)?.serialNumber, '2');
  await agents.ban(agent.id);
  assert.equal(agents.get(agent.id)?.serialNumber, '');
  await assert.rejects(agents.attested(agent), { kind: 'denied' });
  await assertCurrent(registry, datastore);
});

test('with an agent go its aliases, from memory too', async (t) => {
  const { datastore, registry } = await start(t);
  const agent = newAgent({
    id: '/spire/agent/join_token/t',
    attestationType: 'join_token',
    expiresAt: 1,
  });
  const alias = newEntry({
    id: 'alias',
    parentId: agent.id.path,
    selectors: [`spiffe_id:${agent.id.toString()}`],
  });
  await registry.entries.create(alias);
  await registry.agents.attested(agent);
  await registry.agents.delete(agent.id);
  await assertCurrent(registry, datastore);
  await registry.entries.create(alias);
  await registry.agents.attested(agent);
  const rule = { beforeUnixSeconds: 2, includeNonReattestable: true, limit: 9 };
  assert.deepEqual(await registry.agents.pruneExpired(rule), [agent.id]);
  assert.deepEqual(registry.entries.rows(), []);
  await assertCurrent(registry, datastore);
});

test('expired entries leave memory when they are pruned', async (t) => {
  const { datastore, registry } = await start(t);
  await registry.entries.create(newEntry({ id: 'old', expiresAt: 1 }));
  await registry.entries.create(newEntry({ id: 'new', spiffeId: '/new', expiresAt: 9 }));
  const pruned = await registry.entries.pruneExpired(5);
  assert.deepEqual(
    pruned.map(({ id }) => id),
    ['old'],
  );
  await assertCurrent(registry, datastore);
});

for (const mode of ['delete', 'dissociate'] as const) {
  test(`what the loss of a bundle does to entries (${mode}) is in memory too`, async (t) => {
    const { datastore, registry } = await start(t);
    for (const bundle of [B, C]) await registry.bundles.create(emptyBundle(bundle));
    const agent = newAgent();
    await registry.entries.create(
      newEntry({ id: 'one', parentId: agent.id.path, federatesWith: [B, C] }),
    );
    const before = registry.entries.authorizedFor(agent.id);
    await registry.bundles.delete(B, mode);
    await assertCurrent(registry, datastore);
    assert.notEqual(registry.entries.authorizedFor(agent.id), before);
    assert.deepEqual(registry.entries.select({ federatesWith: { match: 'any', set: [B] } }), []);
  });
}

test('whoever asked is told of each change of a bundle, and only of changes', async (t) => {
  const { registry } = await start(t);
  const { bundles } = registry;
  const told: string[] = [];
  const listener = ({ name }: TrustDomain) => void told.push(name);
  const stop = bundles.onChange(listener);
  const stopSecond = bundles.onChange(listener);
  await bundles.create(emptyBundle(B));
  assert.deepEqual(told.splice(0), ['b.test', 'b.test']);
  stopSecond();
  await bundles.set(emptyBundle(B)); // the same
  await bundles.modify(B, () => undefined);
  assert.deepEqual(told.splice(0), []);
  const changed = { ...emptyBundle(B), sequenceNumber: 1n };
  assert.equal(await bundles.modify(B, () => changed), changed);
  await bundles.set(emptyBundle(C));
  await bundles.delete(C, 'restrict');
  assert.deepEqual(told.splice(0), ['b.test', 'c.test', 'c.test']);
  stop();
  await bundles.delete(B, 'restrict');
  assert.deepEqual(told, []);
});

test('a listener that throws is told to the operator, and does not fail the write', async (t) => {
  const { log, lines } = recorder();
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const datastore = await openTestDatastore(t, file);
  const { bundles } = await createRegistry({ datastore, trustDomain, log });
  bundles.onChange(() => {
    throw new Error('busy');
  });
  const told: string[] = [];
  bundles.onChange(({ name }) => told.push(name));
  await bundles.create(emptyBundle(B));
  assert.deepEqual(told, ['b.test']);
  assert.deepEqual(lines, ['error A listener for bundle changes failed spiffe://b.test busy']);
});

function recorder(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const line =
    (level: string): Log['warn'] =>
    (message, fields = {}) =>
      void lines.push([level, message, ...Object.values(fields).map(String)].join(' '));
  const log: Log = {
    ...silentLog,
    error: line('error'),
    warn: line('warn'),
    child: () => log,
  };
  return { log, lines };
}

async function startOn(t: TestContext, sql: string, configured = trustDomain) {
  const { file, datastore, registry } = await start(t);
  await registry.entries.create(newEntry({ id: 'first' }));
  await registry.entries.create(newEntry({ id: 'second', spiffeId: '/second' }));
  await registry.agents.attested(newAgent());
  using database = new DatabaseSync(file);
  database.exec(sql);
  const { log, lines } = recorder();
  return { lines, registry: await createRegistry({ datastore, trustDomain: configured, log }) };
}

test("another trust domain's database is refused by its first entry", async (t) => {
  await assert.rejects(startOn(t, '', B), {
    kind: 'failed-precondition',
    message:
      "a registration entry with trust domain 'test' has been detected, which does not match the configured trust " +
      "domain of 'b.test'. If you want to change the trust domain, please delete all existing registration entries",
  });
});

test('a first entry that names no trust domain is refused', async (t) => {
  await assert.rejects(startOn(t, "update registered_entries set spiffe_id = 'x' where id = 1"), {
    kind: 'failed-precondition',
    message:
      'registration entry with id first is malformed because invalid SPIFFE ID: scheme is missing or invalid',
  });
});

test("another trust domain's agents are only warned of", async (t) => {
  const { lines } = await startOn(t, 'delete from registered_entries', B);
  assert.deepEqual(lines, [
    "warn An attested node with trust domain 'test' has been detected, which does not match the configured trust " +
      "domain of 'b.test'. Agents may need to be reconfigured to use new trust domain",
  ]);
});

test('tells when it reads the datastore, and when that is done', async (t) => {
  const { datastore } = await start(t);
  const lines: LogLine[] = [];
  await createRegistry({ datastore, trustDomain, log: recordingLog(lines) });
  const fields = { subsystem_name: 'endpoints' };
  assert.deepEqual(lines, [
    { message: 'Building in-memory entry cache', fields },
    { message: 'Completed building in-memory entry cache', fields },
  ]);
});

test('rows that cannot be read are told of and left out', async (t) => {
  const { lines, registry } = await startOn(
    t,
    "update registered_entries set parent_id = 'x' where id = 2; update attested_node_entries set spiffe_id = ''",
  );
  assert.deepEqual(lines, [
    'warn Skipped malformed registration entry second invalid parent ID: scheme is missing or invalid',
    'warn Skipped malformed attested node  invalid SPIFFE ID: cannot be empty',
  ]);
  assert.equal(registry.entries.rows().length, 1);
});

const agentIds = ['/spire/agent/1', '/spire/agent/2', '/spire/agent/3'];
const entryIds = ['a', 'b', 'c', 'd'];
const agentId = fc.constantFrom(...agentIds);
const entryId = fc.constantFrom(...entryIds);
const path = fc.constantFrom('/x', '/y', '/spire/server', ...agentIds);
const selectors = fc.subarray(['k:1', 'k:2'], { minLength: 1 });
const serial = fc.constantFrom('1', '2', '3');

/** Each does something to the registry; which of them fail is for SQL to say. */
const operation: fc.Arbitrary<(registry: Registry) => Promise<unknown>> = fc.oneof(
  fc.record({ id: entryId, parentId: path, spiffeId: path, selectors }).map(
    (fields) =>
      ({ entries }: Registry) =>
        entries.create(newEntry(fields)),
  ),
  fc.record({ id: entryId, parentId: path, spiffeId: path, selectors }).map(
    (fields) =>
      ({ entries }: Registry) =>
        entries.update(newEntry(fields), new Set(['parentId', 'spiffeId', 'selectors'])),
  ),
  entryId.map(
    (id) =>
      ({ entries }: Registry) =>
        entries.delete(id),
  ),
  fc.record({ id: agentId, serialNumber: serial, selectors }).map(
    (fields) =>
      ({ agents }: Registry) =>
        agents.attested(newAgent(fields)),
  ),
  fc.record({ id: agentId, newSerialNumber: serial }).map(
    ({ id, newSerialNumber }) =>
      ({ agents }: Registry) =>
        agents.update(SpiffeId.of(trustDomain, id), { newSerialNumber, newExpiresAt: 5 }),
  ),
  fc.record({ id: agentId, serialNumber: serial }).map(
    ({ id, serialNumber }) =>
      ({ agents }: Registry) =>
        agents.activate(SpiffeId.of(trustDomain, id), serialNumber),
  ),
  agentId.map(
    (id) =>
      ({ agents }: Registry) =>
        agents.ban(SpiffeId.of(trustDomain, id)),
  ),
  agentId.map(
    (id) =>
      ({ agents }: Registry) =>
        agents.delete(SpiffeId.of(trustDomain, id)),
  ),
  agentId.map(
    (id) =>
      ({ agents }: Registry) =>
        agents.confirm(SpiffeId.of(trustDomain, id)),
  ),
  fc.record({ entryId, agentId }).map(
    (changed) => (registry: Registry) =>
      registry.applied({
        entryIds: [changed.entryId],
        agents: [SpiffeId.of(trustDomain, changed.agentId)],
      }),
  ),
);

test('whatever many callers do at once, memory ends as what is stored', async (t) => {
  const { datastore, registry } = await start(t);
  const crowds = fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(crowds, async (rounds) => {
      for (const crowd of rounds) {
        for (const outcome of await Promise.allSettled(crowd.map((act) => act(registry)))) {
          if (outcome.status === 'rejected') {
            assert.match(kindOf(outcome.reason), /^(not-found|already-exists|denied)$/);
          }
        }
        await assertCurrent(registry, datastore);
        const fresh = await createRegistry({ datastore, trustDomain, log: silentLog });
        for (const id of agentIds.map((one) => SpiffeId.of(trustDomain, one))) {
          const sorted = (some: Registry) =>
            some.entries
              .authorizedFor(id)
              .map((entry) => entry.id)
              .sort();
          assert.deepEqual(sorted(registry), sorted(fresh));
        }
      }
    }),
    { numRuns: 60 },
  );
});
