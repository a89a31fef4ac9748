import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newAgent, newEntry, noneSkipped } from '../../../test/kit/datastore.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore, EntryField, NewEntry } from './contract.ts';
import { relationships } from './relationship-store.suite.ts';

const [B, C] = [TrustDomain.parse('b.test'), TrustDomain.parse('c.test')];
const notFound = { kind: 'not-found', message: 'datastore-sql: record not found' };

/**
 * What every datastore promises (`reference/server.md` §8.3). `open` gives an empty one; `duplicate` is what the database
 * says of a second row with that value in a unique column.
 */
export function datastoreSuite(
  name: string,
  open: (t: TestContext) => Promise<Datastore>,
  duplicate: (...columns: string[]) => string,
): void {
  const scenario: Scenario = (title, act) => {
    test(`${name}: ${title}`, async (t) => act(await open(t)));
  };

  entries(scenario, duplicate);
  entryRefusals(scenario);
  agents(scenario);
  bundles(scenario, duplicate);
  relationships(scenario, duplicate);
  tokens(scenario, duplicate);
  journals(scenario);
}

type Scenario = (title: string, act: (datastore: Datastore) => Promise<void>) => void;

const full: NewEntry = {
  ...newEntry({ spiffeId: '/full', parentId: '/spire/server', selectors: ['z:2', 'a:1'] }),
  id: 'full.entry-1_2',
  x509SvidTtlSeconds: 600,
  jwtSvidTtlSeconds: 300,
  federatesWith: [C, B, C],
  admin: true,
  downstream: true,
  expiresAt: 4_102_444_800,
  dnsNames: ['www.test', 'a.test'],
  hint: 'internal',
  additionalAttributes: { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false },
};

function entries(scenario: Scenario, duplicate: (...columns: string[]) => string): void {
  scenario('an entry is read as it was created, in the order of its lists', async (datastore) => {
    await datastore.bundles.create(emptyBundle(B));
    await datastore.bundles.create(emptyBundle(C));
    const { row, created } = await datastore.entries.create(full);
    assert.equal(created, true);
    assert.deepEqual(row.value, {
      ...full,
      federatesWith: [B, C], // in the order of the bundles, each once
      revisionNumber: 0,
      createdAt: row.value.createdAt,
    });
    assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
    assert.deepEqual(await datastore.entries.byIds(['none', full.id], noneSkipped), [row]);
  });

  scenario('an entry without an ID gets a UUID', async ({ entries }) => {
    const { row } = await entries.create(newEntry());
    assert.match(
      row.value.id,
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  scenario('attributes that are all off read back as absent', async ({ entries }) => {
    const off = { disableX509SvidPrefetch: false, jwtSvidIncludeJti: false };
    const { row } = await entries.create(newEntry({ additionalAttributes: off }));
    assert.equal(row.value.additionalAttributes, undefined);
  });

  scenario('a similar entry is answered instead of created', async ({ entries }) => {
    const { row } = await entries.create(newEntry({ selectors: ['a:1', 'b:2'], hint: 'first' }));
    const again = newEntry({ selectors: ['b:2', 'a:1'], hint: 'second' });
    assert.deepEqual(await entries.create(again), { row, created: false });
    assert.equal((await entries.all(noneSkipped)).length, 1);
  });

  const dissimilar: readonly [what: string, other: NewEntry][] = [
    ['more selectors', newEntry({ selectors: ['a:1', 'b:2', 'c:3'] })],
    ['fewer selectors', newEntry({ selectors: ['a:1'] })],
    ['another selector', newEntry({ selectors: ['a:1', 'b:3'] })],
    ['another parent', newEntry({ selectors: ['a:1', 'b:2'], parentId: '/other' })],
    ['another SPIFFE ID', newEntry({ selectors: ['a:1', 'b:2'], spiffeId: '/other' })],
  ];
  for (const [what, other] of dissimilar) {
    scenario(`an entry with ${what} is not similar`, async ({ entries }) => {
      await entries.create(newEntry({ selectors: ['a:1', 'b:2'] }));
      assert.equal((await entries.create(other)).created, true);
    });
  }

  scenario('of many who create similar entries at once one does', async ({ entries }) => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => entries.create(newEntry())),
    );
    assert.equal(outcomes.filter(({ created }) => created).length, 1);
    assert.equal(new Set(outcomes.map(({ row }) => row.value.id)).size, 1);
  });

  scenario('an entry ID is taken once', async ({ entries }) => {
    await entries.create(newEntry({ id: 'one' }));
    await assert.rejects(entries.create(newEntry({ id: 'one', spiffeId: '/two' })), {
      kind: 'already-exists',
      message: duplicate('registered_entries.entry_id'),
    });
    assert.equal((await entries.all(noneSkipped)).length, 1);
  });

  scenario(
    'the same selector or DNS name twice is refused, and nothing is left',
    async ({ entries }) => {
      const columns = (table: string, ...names: string[]) =>
        names.map((name) => `${table}.${name}`);
      await assert.rejects(entries.create(newEntry({ selectors: ['a:1', 'a:1'] })), {
        kind: 'already-exists',
        message: duplicate(...columns('selectors', 'registered_entry_id', 'type', 'value')),
      });
      await assert.rejects(entries.create(newEntry({ dnsNames: ['a', 'a'] })), {
        kind: 'already-exists',
        message: duplicate(...columns('dns_names', 'registered_entry_id', 'value')),
      });
      assert.deepEqual(await entries.all(noneSkipped), []);
    },
  );

  const everyField: readonly EntryField[] = [
    'spiffeId',
    'parentId',
    'selectors',
    'x509SvidTtlSeconds',
    'jwtSvidTtlSeconds',
    'federatesWith',
    'admin',
    'downstream',
    'expiresAt',
    'dnsNames',
    'storeSvid',
    'hint',
    'additionalAttributes',
  ];
  const plain = newEntry({ id: full.id });
  const changed: NewEntry = { ...full, storeSvid: true, selectors: plain.selectors };
  for (const field of everyField) {
    scenario(`an update replaces ${field}, and only that, both ways`, async (datastore) => {
      await datastore.bundles.create(emptyBundle(B));
      await datastore.bundles.create(emptyBundle(C));
      for (const [from, to] of [
        [plain, { ...changed, selectors: full.selectors, storeSvid: field === 'storeSvid' }],
        [full, plain],
      ] as const) {
        const { row } = await datastore.entries.create(from);
        const updated = await datastore.entries.update(to, new Set([field]));
        const expected = field === 'federatesWith' && to !== plain ? [B, C] : to[field];
        assert.deepEqual(updated, {
          rowId: row.rowId,
          value: { ...row.value, [field]: expected, revisionNumber: 1 },
        });
        assert.deepEqual(await datastore.entries.all(noneSkipped), [updated]);
        await datastore.entries.delete(from.id);
      }
    });
  }

  scenario('an update that replaces nothing counts the revision too', async ({ entries }) => {
    const { row } = await entries.create(newEntry({ id: 'one' }));
    const updated = await entries.update(newEntry({ id: 'one', hint: 'x' }), new Set());
    assert.deepEqual(updated.value, { ...row.value, revisionNumber: 1 });
  });

  scenario('what is not there is neither updated nor deleted', async ({ entries }) => {
    await assert.rejects(entries.update(newEntry({ id: 'none' }), new Set(['hint'])), notFound);
    await assert.rejects(entries.delete('none'), notFound);
  });

  scenario('a deleted entry leaves nothing that the next could inherit', async (datastore) => {
    await datastore.bundles.create(emptyBundle(B));
    await datastore.bundles.create(emptyBundle(C));
    await datastore.entries.create(full);
    await datastore.entries.delete(full.id);
    assert.deepEqual(await datastore.entries.all(noneSkipped), []);
    const { row } = await datastore.entries.create(newEntry({ id: full.id }));
    assert.deepEqual(row.value.dnsNames, []);
    assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
  });

  scenario('expired entries are pruned, those without an end stay', async ({ entries }) => {
    const ends = { never: 0, past: 99, now: 100, later: 101 };
    for (const [id, expiresAt] of Object.entries(ends)) {
      await entries.create(newEntry({ id, spiffeId: `/${id}`, expiresAt }));
    }
    const pruned = await entries.pruneExpired(100);
    assert.deepEqual(
      pruned.map(({ id, selectors }) => ({ id, selectors })),
      [{ id: 'past', selectors: newEntry().selectors }],
    );
    const left = await entries.all(noneSkipped);
    assert.deepEqual(
      left.map(({ value }) => value.id),
      ['never', 'now', 'later'],
    );
    assert.deepEqual(await entries.pruneExpired(100), []);
  });

  scenario('lists longer than one statement holds are kept whole', async (datastore) => {
    const selectors = Array.from({ length: 1_201 }, (_, index) => `a:${index}`);
    const { row } = await datastore.entries.create(newEntry({ id: 'long', selectors }));
    assert.equal(row.value.selectors.length, selectors.length);
    assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
    for (let index = 0; index < 600; index++) {
      await datastore.entries.create(newEntry({ spiffeId: `/${index}`, expiresAt: 1 }));
    }
    assert.equal((await datastore.entries.pruneExpired(2)).length, 600);
    assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
  });
}

function entryRefusals(scenario: Scenario): void {
  const invalid = (rule: string) => `datastore-validation: invalid registration entry: ${rule}`;
  const mixed = { storeSvid: true, selectors: ['a:1', 'b:2'] };
  const mixedText = invalid('selector types must be the same when store SVID is enabled');
  const noPrefetch = { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false };

  const created: readonly [why: string, entry: NewEntry, message: string][] = [
    ['without selectors', newEntry({ selectors: [] }), invalid('missing selector list')],
    [
      'that stores SVIDs and says how to cache them',
      newEntry({ storeSvid: true, additionalAttributes: noPrefetch }),
      'datastore-validation: specifying cache behaviour is incompatible with storable SVIDs',
    ],
    ['that stores SVIDs, with selectors of two types', newEntry(mixed), mixedText],
    ['with a long ID', newEntry({ id: 'x'.repeat(256) }), invalid('entry ID too long')],
    [
      'with a space in its ID',
      newEntry({ id: 'a b' }),
      invalid('entry ID contains invalid characters'),
    ],
    [
      'with a negative TTL',
      newEntry({ x509SvidTtlSeconds: -1 }),
      invalid('X509SvidTtl is not set'),
    ],
    [
      'with a negative JWT TTL',
      newEntry({ jwtSvidTtlSeconds: -1 }),
      invalid('JwtSvidTtl is not set'),
    ],
  ];
  for (const [why, entry, message] of created) {
    scenario(`no entry is created ${why}`, async ({ entries }) => {
      await assert.rejects(entries.create(entry), { kind: 'invalid', message });
      assert.deepEqual(await entries.all(noneSkipped), []);
    });
  }

  scenario('an entry ID may have 255 bytes', async ({ entries }) => {
    assert.equal((await entries.create(newEntry({ id: 'x'.repeat(255) }))).created, true);
  });

  const updates: readonly [why: string, entry: NewEntry, fields: EntryField[], message: string][] =
    [
      [
        'to no selectors',
        newEntry({ selectors: [] }),
        ['selectors'],
        invalid('missing selector list'),
      ],
      ['to mixed selectors', newEntry(mixed), ['storeSvid', 'selectors'], mixedText],
      [
        'to a negative TTL',
        newEntry({ x509SvidTtlSeconds: -1 }),
        ['x509SvidTtlSeconds'],
        invalid('X509SvidTtl is not set'),
      ],
      [
        'to a negative JWT TTL',
        newEntry({ jwtSvidTtlSeconds: -1 }),
        ['jwtSvidTtlSeconds'],
        invalid('JwtSvidTtl is not set'),
      ],
    ];
  for (const [why, entry, fields, message] of updates) {
    scenario(`no entry is updated ${why}`, async ({ entries }) => {
      const { row } = await entries.create(newEntry({ id: 'one' }));
      const update = entries.update({ ...entry, id: 'one' }, new Set(fields));
      await assert.rejects(update, { kind: 'invalid', message });
      assert.deepEqual(await entries.all(noneSkipped), [row]);
    });
  }

  const unchecked: readonly [what: string, entry: NewEntry, fields: EntryField[]][] = [
    ['fields outside the update', newEntry({ selectors: [], x509SvidTtlSeconds: -1 }), ['hint']],
    ['the stored selectors when only storeSvid is set', newEntry(mixed), ['storeSvid']],
    [
      'the cache rule',
      newEntry({ storeSvid: true, additionalAttributes: noPrefetch }),
      ['storeSvid', 'additionalAttributes'],
    ],
  ];
  for (const [what, entry, fields] of unchecked) {
    scenario(`an update does not check ${what}`, async ({ entries }) => {
      await entries.create(newEntry({ id: 'one', selectors: ['a:1', 'b:2'] }));
      const { value } = await entries.update({ ...entry, id: 'one' }, new Set(fields));
      assert.equal(value.revisionNumber, 1);
    });
  }

  scenario('an entry federates only with bundles that are there', async ({ entries, bundles }) => {
    const missing = {
      kind: 'unknown',
      message: 'unable to find federated bundle "spiffe://c.test"',
    };
    await bundles.create(emptyBundle(B));
    await assert.rejects(entries.create(newEntry({ federatesWith: [B, C] })), missing);
    assert.deepEqual(await entries.all(noneSkipped), []);
    const { row } = await entries.create(newEntry({ id: 'one', federatesWith: [B] }));
    const fields = new Set<EntryField>(['federatesWith', 'hint']);
    const update = entries.update(newEntry({ id: 'one', federatesWith: [C], hint: 'x' }), fields);
    await assert.rejects(update, missing);
    assert.deepEqual(await entries.all(noneSkipped), [row]);
  });
}

function agents(scenario: Scenario): void {
  const agent = newAgent({ selectors: ['x509pop:cn:b', 'x509pop:cn:a'] });

  scenario('an agent is read as it attested', async ({ agents }) => {
    const row = await agents.attested(agent);
    assert.deepEqual(row.value, agent);
    assert.deepEqual(await agents.get(agent.id), row);
    assert.deepEqual(await agents.all(noneSkipped), [row]);
    assert.equal(await agents.get(newAgent({ id: '/spire/agent/other' }).id), undefined);
  });

  scenario('attesting again keeps type and version, drops the renewed SVID', async ({ agents }) => {
    const { rowId } = await agents.attested(agent);
    await agents.update(agent.id, { newSerialNumber: '2', newExpiresAt: 2_000_000_100 });
    const again = newAgent({
      attestationType: 'other',
      agentVersion: 'other',
      serialNumber: '3',
      expiresAt: 2_000_000_200,
      canReattest: false,
      selectors: ['x509pop:cn:c'],
    });
    assert.deepEqual(await agents.attested(again), {
      rowId,
      value: { ...again, attestationType: 'x509pop', agentVersion: '1.16.0' },
    });
  });

  scenario('a renewed SVID becomes the current one when it is used', async ({ agents }) => {
    await agents.attested(agent);
    const renewed = await agents.update(agent.id, {
      newSerialNumber: '2',
      newExpiresAt: 2_100_000_000,
    });
    assert.deepEqual(renewed.value, {
      ...agent,
      newSerialNumber: '2',
      newExpiresAt: 2_100_000_000,
    });
    assert.deepEqual(await agents.activate(agent.id, '1'), renewed); // not the renewed one
    assert.deepEqual(await agents.activate(agent.id, ''), renewed);
    const current = { ...agent, serialNumber: '2', expiresAt: 2_100_000_000 };
    assert.deepEqual((await agents.activate(agent.id, '2')).value, current);
    assert.deepEqual((await agents.activate(agent.id, '2')).value, current);
    assert.deepEqual((await agents.activate(agent.id, '')).value, current); // nothing is pending
  });

  scenario(
    'an update changes what it names, and may take the renewed SVID away',
    async ({ agents }) => {
      await agents.attested(agent);
      await agents.update(agent.id, { newSerialNumber: '2', newExpiresAt: 3 });
      const { value } = await agents.update(agent.id, {
        agentVersion: '1.15.0',
        canReattest: false,
        expiresAt: 4,
        serialNumber: '5',
        newSerialNumber: '',
        newExpiresAt: undefined,
      });
      assert.deepEqual(value, {
        ...agent,
        agentVersion: '1.15.0',
        canReattest: false,
        expiresAt: 4,
        serialNumber: '5',
      });
    },
  );

  scenario(
    'a ban takes both serial numbers, and outlives what comes after it',
    async ({ agents }) => {
      await agents.attested(agent);
      await agents.update(agent.id, { newSerialNumber: '2', newExpiresAt: 3 });
      const banned = await agents.ban(agent.id);
      assert.deepEqual(banned.value, {
        ...agent,
        serialNumber: '',
        newSerialNumber: '',
        newExpiresAt: 3,
      });
      const denied = { kind: 'denied', denial: 'banned', message: 'agent is banned' };
      await assert.rejects(agents.attested(agent), denied);
      await assert.rejects(agents.update(agent.id, { newSerialNumber: '4' }), denied);
      await assert.rejects(agents.update(agent.id, { serialNumber: '4' }), denied);
      assert.deepEqual(await agents.activate(agent.id, '2'), banned);
      assert.deepEqual(await agents.get(agent.id), banned);
      const { value } = await agents.update(agent.id, { agentVersion: '1.15.0' });
      assert.equal(value.agentVersion, '1.15.0');
      await agents.delete(agent.id);
      assert.equal((await agents.attested(agent)).value.serialNumber, '1');
    },
  );

  scenario('of an agent that is not there nothing is changed', async ({ agents }) => {
    await assert.rejects(agents.update(agent.id, { canReattest: true }), notFound);
    await assert.rejects(agents.activate(agent.id, '1'), notFound);
    await assert.rejects(agents.ban(agent.id), notFound);
    await assert.rejects(agents.delete(agent.id), notFound);
    assert.deepEqual(await agents.all(noneSkipped), []);
  });

  scenario('a deleted agent leaves no selectors', async ({ agents }) => {
    await agents.attested(agent);
    assert.deepEqual(await agents.delete(agent.id), { entriesDeleted: [] });
    assert.deepEqual((await agents.attested(newAgent())).value.selectors, []);
  });

  const joined = newAgent({ id: '/spire/agent/join_token/t', attestationType: 'join_token' });
  const alias = newEntry({
    id: 'alias',
    parentId: '/spire/agent/join_token/t',
    selectors: [`spiffe_id:${joined.id.toString()}`],
  });
  const stay = [
    newEntry({ id: 'workload', parentId: '/spire/agent/join_token/t' }),
    newEntry({
      id: 'two-selectors',
      parentId: '/spire/agent/join_token/t',
      selectors: [`spiffe_id:${joined.id.toString()}`, 'unix:uid:1'],
    }),
    newEntry({
      id: 'elsewhere',
      parentId: '/node',
      selectors: [`spiffe_id:${joined.id.toString()}`],
    }),
  ];
  const left = stay.map(({ id }) => id);

  scenario(
    'with a join token agent go its aliases, and no other entry',
    async ({ agents, entries }) => {
      for (const entry of [alias, ...stay]) await entries.create(entry);
      await agents.attested(joined);
      assert.deepEqual(await agents.delete(joined.id), { entriesDeleted: ['alias'] });
      const found = await entries.all(noneSkipped);
      assert.deepEqual(
        found.map(({ value }) => value.id),
        left,
      );
    },
  );

  scenario('with another agent no entry goes', async ({ agents, entries }) => {
    await entries.create(alias);
    await agents.attested({ ...joined, attestationType: 'x509pop' });
    assert.deepEqual(await agents.delete(joined.id), { entriesDeleted: [] });
    assert.equal((await entries.all(noneSkipped)).length, 1);
  });

  const fleet = [
    newAgent({ id: '/spire/agent/old', expiresAt: 50, selectors: ['a:1'] }),
    newAgent({ id: '/spire/agent/older', expiresAt: 40 }),
    newAgent({ id: '/spire/agent/once', expiresAt: 45, canReattest: false }),
    newAgent({ id: '/spire/agent/banned', expiresAt: 45, serialNumber: '' }),
    newAgent({ id: '/spire/agent/just', expiresAt: 100 }),
    newAgent({ id: '/spire/agent/current', expiresAt: 101 }),
  ];
  const pruned: readonly [what: string, limit: number, once: boolean, names: string[]][] = [
    ['that can attest again', 10, false, ['older', 'old']],
    ['and those that cannot attest again', 10, true, ['older', 'once', 'old']],
    ['so many as allowed, the oldest first', 1, true, ['older']],
  ];
  for (const [what, limit, includeNonReattestable, names] of pruned) {
    scenario(`expired agents are pruned: ${what}`, async ({ agents }) => {
      for (const one of fleet) await agents.attested(one);
      const rule = { beforeUnixSeconds: 100, includeNonReattestable, limit };
      const gone = await agents.pruneExpired(rule);
      assert.deepEqual(
        gone.agents.map(({ path }) => path.split('/').at(-1)),
        names,
      );
      assert.deepEqual(gone.entriesDeleted, []);
      assert.equal((await agents.all(noneSkipped)).length, fleet.length - names.length);
    });
  }

  scenario('pruning takes aliases too', async ({ agents, entries }) => {
    await entries.create(alias);
    await agents.attested({ ...joined, expiresAt: 1 });
    const rule = { beforeUnixSeconds: 100, includeNonReattestable: true, limit: 10 };
    assert.deepEqual(await agents.pruneExpired(rule), {
      agents: [joined.id],
      entriesDeleted: ['alias'],
    });
    assert.deepEqual(await entries.all(noneSkipped), []);
  });
}

function bundles(scenario: Scenario, duplicate: (...columns: string[]) => string): void {
  const key = { publicKey: Uint8Array.of(1, 2), keyId: 'k', expiresAt: 7, tainted: true };
  const bundle: Bundle = {
    trustDomain: B,
    x509Authorities: [{ der: Uint8Array.of(3, 4), tainted: true }],
    jwtAuthorities: [key],
    witAuthorities: [{ ...key, keyId: 'w' }],
    refreshHintSeconds: 60,
    sequenceNumber: 2n ** 64n - 1n,
  };

  scenario('a bundle is read as it was created, and is created once', async ({ bundles }) => {
    const row = await bundles.create(bundle);
    assert.deepEqual(await bundles.get(B), row);
    assert.deepEqual(await bundles.all(noneSkipped), [row]);
    assert.deepEqual(row.value, bundle);
    assert.equal(await bundles.get(C), undefined);
    await assert.rejects(bundles.create(emptyBundle(B)), {
      kind: 'already-exists',
      message: duplicate('bundles.trust_domain'),
    });
    assert.deepEqual(await bundles.get(B), row);
  });

  scenario('setting creates or replaces', async ({ bundles }) => {
    const row = await bundles.set(emptyBundle(B));
    assert.deepEqual(await bundles.set(bundle), { rowId: row.rowId, value: bundle });
    assert.deepEqual((await bundles.get(B))?.value, bundle);
  });

  scenario('a change sees what is stored, and what it returns is stored', async ({ bundles }) => {
    const seen: (Bundle | undefined)[] = [];
    const answer = (next: Bundle | undefined) => (stored: Bundle | undefined) => {
      seen.push(stored);
      return next;
    };
    assert.equal(await bundles.modify(B, answer(undefined)), undefined);
    const created = await bundles.modify(B, answer(emptyBundle(B)));
    assert.deepEqual((await bundles.modify(B, answer(undefined)))?.value, emptyBundle(B));
    assert.deepEqual(await bundles.modify(B, answer(bundle)), {
      rowId: created?.rowId,
      value: bundle,
    });
    assert.deepEqual(seen, [undefined, undefined, emptyBundle(B), emptyBundle(B)]);
  });

  scenario(
    'a change that throws changes nothing, and lets the next one in',
    async ({ bundles }) => {
      await bundles.create(bundle);
      const failing = bundles.modify(B, () => {
        throw new Error('no');
      });
      await assert.rejects(failing, { message: 'no' });
      assert.deepEqual((await bundles.get(B))?.value, bundle);
      await bundles.set(emptyBundle(C));
    },
  );

  scenario('changes of one bundle by many callers are all kept', async ({ bundles }) => {
    const next = (stored: Bundle = emptyBundle(B)): Bundle => ({
      ...stored,
      sequenceNumber: stored.sequenceNumber + 1n,
    });
    await Promise.all(Array.from({ length: 50 }, () => bundles.modify(B, next)));
    assert.equal((await bundles.get(B))?.value.sequenceNumber, 50n);
  });

  scenario('what is not there is not deleted', async ({ bundles }) => {
    await assert.rejects(bundles.delete(B, 'delete'), notFound);
  });

  const federated = [
    newEntry({ id: 'both', spiffeId: '/both', federatesWith: [B, C] }),
    newEntry({ id: 'other', spiffeId: '/other', federatesWith: [C] }),
  ];
  async function federate({ bundles, entries }: Datastore): Promise<void> {
    await bundles.create(bundle);
    await bundles.create(emptyBundle(C));
    for (const entry of federated) await entries.create(entry);
  }

  scenario('a bundle that entries federate with is kept', async (datastore) => {
    await federate(datastore);
    await assert.rejects(datastore.bundles.delete(C, 'restrict'), {
      kind: 'failed-precondition',
      message: 'datastore-sql: cannot delete bundle; federated with 2 registration entries',
    });
    assert.equal((await datastore.bundles.all(noneSkipped)).length, 2);
  });

  scenario('a bundle goes with the entries that federate with it', async (datastore) => {
    await federate(datastore);
    assert.deepEqual(await datastore.bundles.delete(B, 'delete'), {
      entriesDeleted: ['both'],
      entriesDissociated: [],
    });
    const [left, ...others] = await datastore.entries.all(noneSkipped);
    assert.equal(left?.value.id, 'other');
    assert.deepEqual(others, []);
    assert.equal(await datastore.bundles.get(B), undefined);
  });

  scenario('a bundle goes and the entries stay, as they were but for it', async (datastore) => {
    await federate(datastore);
    assert.deepEqual(await datastore.bundles.delete(B, 'dissociate'), {
      entriesDeleted: [],
      entriesDissociated: ['both'],
    });
    const left = await datastore.entries.all(noneSkipped);
    assert.deepEqual(
      left.map(({ value }) => [value.federatesWith, value.revisionNumber]),
      [
        [[C], 0],
        [[C], 0],
      ],
    );
  });

  scenario('a bundle without entries goes in any mode', async ({ bundles }) => {
    for (const mode of ['restrict', 'delete', 'dissociate'] as const) {
      await bundles.create(bundle);
      const gone = { entriesDeleted: [], entriesDissociated: [] };
      assert.deepEqual(await bundles.delete(B, mode), gone);
    }
  });
}

function tokens(scenario: Scenario, duplicate: (...columns: string[]) => string): void {
  scenario('a token is spent once, by one of many callers', async ({ joinTokens }) => {
    const token = { token: 'abc', expiresAt: 5 };
    await joinTokens.create(token);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => joinTokens.spend('abc')));
    assert.deepEqual(
      outcomes.filter((outcome) => outcome !== undefined),
      [token],
    );
    assert.equal(await joinTokens.spend('abc'), undefined);
    assert.equal(await joinTokens.spend('other'), undefined);
  });

  scenario('a token is created once', async ({ joinTokens }) => {
    await joinTokens.create({ token: 'abc', expiresAt: 5 });
    await assert.rejects(joinTokens.create({ token: 'abc', expiresAt: 6 }), {
      kind: 'already-exists',
      message: duplicate('join_tokens.token'),
    });
    assert.deepEqual(await joinTokens.spend('abc'), { token: 'abc', expiresAt: 5 });
  });
}

function journals(scenario: Scenario): void {
  scenario('a CA journal is found by its active authority', async ({ caJournals }) => {
    const row = { id: 0, data: Uint8Array.of(1), activeX509AuthorityId: 'aa' };
    const id = await caJournals.save(row);
    const later = await caJournals.save({ ...row, data: Uint8Array.of(2) });
    assert.notEqual(later, id);
    assert.deepEqual(await caJournals.findByActiveX509Authority('aa'), { ...row, id });
    assert.equal(await caJournals.findByActiveX509Authority('bb'), undefined);

    const changed = { id, data: Uint8Array.of(3), activeX509AuthorityId: 'bb' };
    assert.equal(await caJournals.save(changed), id);
    assert.deepEqual(await caJournals.findByActiveX509Authority('bb'), changed);
    await caJournals.delete(later);
    assert.deepEqual(await caJournals.all(), [changed]);
    await assert.rejects(caJournals.save({ ...row, id: later }), notFound);
  });
}
