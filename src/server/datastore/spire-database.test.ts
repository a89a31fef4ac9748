import assert from 'node:assert/strict';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import {
  newAgent,
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { storedBundleFromBytes } from '../../wire/stored-bundle.ts';
import type { Skipped } from './contract.ts';

const fixture = join(
  import.meta.dirname,
  '../../../test/data/fixtures/server/data/datastore.sqlite3',
);

/** The agent of the recording, and the token that was not used. */
const AGENT = 'spiffe://golden.test/spire/agent/join_token/6ce34157-f100-4138-90ba-548f132aa954';
const UNUSED = '68bfb23c-7fef-4642-8a75-4d572076ccdb';
const UNUSED_AGENT = `spiffe://golden.test/spire/agent/join_token/${UNUSED}`;
const B = TrustDomain.parse('b.test');

const golden = (path: string) => SpiffeId.parse(`spiffe://golden.test${path}`);
const select = (type: string, value: string) => ({ type, value });

/** What the recording's administrator asked for, in order. */
const entries = [
  {
    ...newEntry({ id: '5e0f15bd-412f-4416-bf79-e7d0ee26e7f4' }),
    spiffeId: golden('/node'),
    parentId: SpiffeId.parse(AGENT),
    selectors: [select('spiffe_id', AGENT)],
  },
  {
    ...newEntry({ id: '8cc6b7b9-52e6-413b-8eb0-9c6b5d765fa1' }),
    spiffeId: golden('/other'),
    parentId: SpiffeId.parse(UNUSED_AGENT),
    selectors: [select('spiffe_id', UNUSED_AGENT)],
  },
  {
    ...newEntry({ id: 'web', hint: 'internal', federatesWith: [B] }),
    spiffeId: golden('/web'),
    parentId: golden('/node'),
    selectors: [select('unix', 'uid:0')],
    dnsNames: ['web.golden.test', 'www.golden.test'],
  },
  {
    ...newEntry({ id: 'all', x509SvidTtlSeconds: 600, jwtSvidTtlSeconds: 300 }),
    spiffeId: golden('/all'),
    parentId: golden('/node'),
    selectors: [select('unix', 'uid:1001'), select('unix', 'user:web')],
    admin: true,
    downstream: true,
    expiresAt: 4_102_444_800,
    additionalAttributes: { disableX509SvidPrefetch: true, jwtSvidIncludeJti: true },
  },
  {
    ...newEntry({ id: 'store', storeSvid: true }),
    spiffeId: golden('/store'),
    parentId: golden('/node'),
    selectors: [select('aws_secretsmanager', 'secretname:web')],
  },
  {
    ...newEntry({ id: 'node-group' }),
    spiffeId: golden('/group'),
    parentId: golden('/spire/server'),
    selectors: [select('x509pop', 'subject:cn:host')],
  },
];

const agent = newAgent({
  attestationType: 'join_token',
  serialNumber: '109221735758659061305738795357710436419',
  expiresAt: Date.UTC(2041, 10, 19, 23, 45, 7) / 1000,
  canReattest: false,
  agentVersion: '',
});
const recordedAgent = { ...agent, id: SpiffeId.parse(AGENT) };

async function openFixture(t: Parameters<typeof openTestDatastore>[0], sql = '') {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  await copyFile(fixture, file);
  await chmod(file, 0o600);
  using database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
  return await openTestDatastore(t, file);
}

test("all that SPIRE's database holds is read", async (t) => {
  const datastore = await openFixture(t);
  const createdAt = [507, 507, 507, 507, 507, 507].map((seconds) => 1_795_477_000 + seconds);
  assert.deepEqual(
    await datastore.entries.all(noneSkipped),
    entries.map((entry, index) => ({
      rowId: index + 1,
      value: { ...entry, revisionNumber: 0, createdAt: createdAt[index] },
    })),
  );
  assert.deepEqual(await datastore.agents.all(noneSkipped), [
    { rowId: 1, value: { ...recordedAgent, agentVersion: '1.16.0-dev-unk' } },
  ]);
  const bundles = await datastore.bundles.all(noneSkipped);
  assert.deepEqual(
    bundles.map(({ rowId, value }) => [
      rowId,
      value.trustDomain.name,
      value.x509Authorities.length,
      value.jwtAuthorities.length,
    ]),
    [
      [1, 'golden.test', 2, 2],
      [2, 'b.test', 1, 0],
      [3, 'c.test', 1, 0],
    ],
  );
  const [journal] = await datastore.caJournals.all();
  assert.equal(journal?.activeX509AuthorityId, 'f332a694d861b73bd65985b5d102e51461fde84a');
  assert.deepEqual(await datastore.joinTokens.spend(UNUSED), {
    token: UNUSED,
    expiresAt: 2_583_877_506,
  });
});

test('a database with the same history has the same rows as SPIRE wrote', async (t) => {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const datastore = await openTestDatastore(t, file, { codeVersion: '1.16.0-dev-unk' });
  // `immutable`: the fixture must not get side files.
  using recorded = new DatabaseSync(`file:${fixture}?immutable=1`, { readOnly: true });
  for (const { data } of recorded.prepare('select data from bundles order by id').all()) {
    await datastore.bundles.set(storedBundleFromBytes(data as Uint8Array));
  }
  for (const { data, active_x509_authority_id } of recorded
    .prepare('select * from ca_journals')
    .all()) {
    const activeX509AuthorityId = String(active_x509_authority_id);
    await datastore.caJournals.save({ id: 0, data: data as Uint8Array, activeX509AuthorityId });
  }
  await datastore.joinTokens.create({ token: 'used', expiresAt: 1 });
  await datastore.joinTokens.create({ token: UNUSED, expiresAt: 2_583_877_506 });
  for (const entry of entries) await datastore.entries.create(entry);
  await datastore.joinTokens.spend('used');
  await datastore.agents.attested(recordedAgent);
  await datastore.agents.update(recordedAgent.id, { agentVersion: '1.16.0-dev-unk' });
  await datastore[Symbol.asyncDispose]();

  using own = new DatabaseSync(file, { readOnly: true });
  for (const table of tables) {
    assert.deepEqual(rowsOf(own, table), rowsOf(recorded, table), table);
  }
});

/** All but the one whose service comes later, federated_trust_domains. */
const tables = [
  'attested_node_entries',
  'attested_node_entries_events',
  'bundles',
  'ca_journals',
  'dns_names',
  'federated_registration_entries',
  'join_tokens',
  'migrations',
  'node_resolver_map_entries',
  'registered_entries',
  'registered_entries_events',
  'selectors',
];

const STAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,8}[1-9])?[+-]\d\d:\d\d$/;

/** With the type of each value, and times of writing reduced to their form. */
function rowsOf(database: DatabaseSync, table: string): unknown[] {
  return database
    .prepare(`select * from ${table} order by 1, 2`)
    .all()
    .map((row) =>
      Object.entries(row).map(([column, value]) => {
        const isStamp = column === 'created_at' || column === 'updated_at';
        return [column, isStamp && STAMP.test(String(value)) ? 'a time' : value];
      }),
    );
}

test('an end that we wrote is the text that SPIRE wrote, in UTC', async (t) => {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const zone = process.env['TZ'];
  process.env['TZ'] = 'UTC';
  t.after(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });
  const datastore = await openTestDatastore(t, file);
  await datastore.agents.attested(recordedAgent);
  await datastore[Symbol.asyncDispose]();
  using own = new DatabaseSync(file, { readOnly: true });
  const row = own.prepare('select expires_at from attested_node_entries').get();
  assert.equal(row?.['expires_at'], '2041-11-19 23:45:07+00:00');
});

const OLD_ROWS = `
  update registered_entries set hint = null, store_svid = null, jwt_svid_ttl = null, ttl = null,
    additional_attributes = null, revision_number = null where entry_id = 'web';
  update attested_node_entries set agent_version = null, new_serial_number = null, can_reattest = null`;

test('columns that a migration added are NULL in old rows, and read as unset', async (t) => {
  const datastore = await openFixture(t, OLD_ROWS);
  const [web] = await datastore.entries.byIds(['web'], noneSkipped);
  assert.equal(web?.value.hint, '');
  assert.equal(web.value.storeSvid, false);
  assert.equal(web.value.revisionNumber, 0);
  const row = await datastore.agents.get(recordedAgent.id);
  assert.deepEqual(row?.value, { ...recordedAgent, newSerialNumber: '', agentVersion: '' });
  const updated = await datastore.entries.update({ ...entries[2]!, hint: 'x' }, new Set(['hint']));
  assert.equal(updated.value.revisionNumber, 1);
});

const malformed: readonly [sql: string, what: Partial<Parameters<Skipped>[0]>][] = [
  [
    "update registered_entries set spiffe_id = 'web' where entry_id = 'web'",
    {
      kind: 'entry',
      id: 'web',
      rowId: 3,
      reason: 'invalid SPIFFE ID: scheme is missing or invalid',
    },
  ],
  [
    "update registered_entries set parent_id = 'spiffe://golden.test/' where entry_id = 'web'",
    { kind: 'entry', reason: 'invalid parent ID: path cannot have a trailing slash' },
  ],
  [
    "update bundles set trust_domain = 'spiffe://B' where id = 2",
    { kind: 'entry', id: 'web' }, // federates with it
  ],
  [
    "update registered_entries set additional_attributes = x'ff' where entry_id = 'web'",
    { kind: 'entry', id: 'web' },
  ],
  [
    "update registered_entries set created_at = 'once' where entry_id = 'web'",
    { kind: 'entry', reason: 'malformed time "once"' },
  ],
  [
    "update attested_node_entries set spiffe_id = 'x' where id = 1",
    { kind: 'agent', id: 'x', rowId: 1 },
  ],
  [
    "update attested_node_entries set expires_at = 'x' where id = 1",
    { kind: 'agent', reason: 'malformed time "x"' },
  ],
  ["update bundles set data = x'ff' where id = 3", { kind: 'bundle', id: 'spiffe://c.test' }],
  [
    "update federated_trust_domains set bundle_endpoint_profile = 'smoke' where id = 1",
    { kind: 'relationship', reason: 'unsupported BundleEndpointProfile: "smoke"' },
  ],
  [
    "update federated_trust_domains set bundle_endpoint_url = '' where id = 1",
    { kind: 'relationship', reason: 'bundle endpoint URL is required' },
  ],
  [
    "update federated_trust_domains set trust_domain = '' where id = 1",
    { kind: 'relationship', reason: 'trust domain is required' },
  ],
];
for (const [sql, expected] of malformed) {
  test(`a row that cannot be read is told and left out: ${sql}`, async (t) => {
    const datastore = await openFixture(t, sql);
    const told: Parameters<Skipped>[0][] = [];
    const skipped: Skipped = (what) => told.push(what);
    const read = {
      entry: await datastore.entries.all(skipped),
      agent: await datastore.agents.all(skipped),
      bundle: await datastore.bundles.all(skipped),
      relationship: await datastore.relationships.all(skipped),
    };
    const [first] = told;
    assert.partialDeepStrictEqual(first, expected);
    assert.equal(told.filter(({ kind }) => kind === first?.kind).length, 1);
    const whole = { entry: 6, agent: 1, bundle: 3, relationship: 1 };
    assert.equal(read[first!.kind].length, whole[first!.kind] - 1);
  });
}

test('numbers beyond those that JavaScript holds are read as the greatest', async (t) => {
  const datastore = await openFixture(
    t,
    "update registered_entries set expiry = 9223372036854775807 where entry_id = 'web'",
  );
  const rows = await datastore.entries.all(noneSkipped);
  assert.equal(rows[2]?.value.expiresAt, Number.MAX_SAFE_INTEGER);
  assert.equal(rows[3]?.value.expiresAt, 4_102_444_800);
  assert.equal(rows[3].rowId, 4);
});

test('an event is written for each write of an entry or an agent, and pruned by its age', async (t) => {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const clock = new VirtualClock(1_000_000);
  const datastore = await openTestDatastore(t, file, { clock });
  const { entries: store, agents } = datastore;
  const written: string[] = [];
  const eventsOf = async (write: Promise<unknown>): Promise<string[]> => {
    await write;
    using own = new DatabaseSync(file, { readOnly: true });
    const all = ['registered_entries_events', 'attested_node_entries_events'].flatMap((table) =>
      own
        .prepare(`select * from ${table} order by id`)
        .all()
        .map((row) =>
          [row['entry_id'] ?? row['spiffe_id'], row['id'], row['created_at']].join('@'),
        ),
    );
    const added = all.filter((event) => !written.includes(event));
    written.push(...added);
    await clock.advance({ seconds: 1 }); // so that each write's events differ
    return added.map((event) => event.split('@')[0] ?? '');
  };
  const one = newEntry({ id: 'one', expiresAt: 1 });
  const b = storedBundleFromBytes(new Uint8Array([0x0a, 6, ...Buffer.from('b.test')]));
  const federated = newEntry({ id: 'two', spiffeId: '/two', federatesWith: [B] });

  assert.deepEqual(await eventsOf(store.create(one)), ['one']);
  assert.deepEqual(await eventsOf(store.create(one)), []); // similar
  assert.deepEqual(await eventsOf(store.update(one, new Set())), ['one']);
  assert.deepEqual(await eventsOf(store.pruneExpired(2)), ['one']);
  assert.deepEqual(await eventsOf(datastore.bundles.create(b)), []);
  assert.deepEqual(await eventsOf(store.create(federated)), ['two']);
  assert.deepEqual(await eventsOf(datastore.bundles.delete(B, 'dissociate')), []);
  assert.deepEqual(await eventsOf(store.delete('two')), ['two']);

  const id = recordedAgent.id.toString();
  assert.deepEqual(await eventsOf(agents.attested(recordedAgent)), [id, id]);
  assert.deepEqual(await eventsOf(agents.update(recordedAgent.id, { newSerialNumber: '2' })), [id]);
  assert.deepEqual(await eventsOf(agents.activate(recordedAgent.id, 'x')), []);
  assert.deepEqual(await eventsOf(agents.activate(recordedAgent.id, '2')), [id]);
  assert.deepEqual(await eventsOf(agents.ban(recordedAgent.id)), [id]);
  assert.deepEqual(await eventsOf(store.create({ ...entries[0]!, id: 'alias' })), ['alias']);
  assert.deepEqual(await eventsOf(agents.delete(recordedAgent.id)), ['alias', id]);

  using own = new DatabaseSync(file, { readOnly: true });
  const count = () => {
    const row = own
      .prepare(
        'select (select count(*) from registered_entries_events) as e, (select count(*) from attested_node_entries_events) as a',
      )
      .get();
    return { ...row };
  };
  assert.deepEqual(count(), { e: 7, a: 6 });
  await datastore.pruneEvents(1_000 + 12); // just before the ban
  assert.deepEqual(count(), { e: 2, a: 2 });
});
