import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyBundle } from '../../spiffe/bundle.ts';
import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { RelationshipStore, Row } from '../datastore/contract.ts';
import { MemoryRelationships } from './relationship-registry.ts';

const relationship = (name: string, path = '/'): FederationRelationship => ({
  trustDomain: TrustDomain.parse(name),
  bundleEndpointUrl: `https://${name}${path}`,
  bundleEndpointProfile: { kind: 'https_web' },
});
const row = (rowId: number, value: FederationRelationship): Row<FederationRelationship> => ({
  rowId,
  value,
});

/** A store that other servers write to, too. */
function world() {
  const stored: Row<FederationRelationship>[] = [];
  const malformed = new Set<number>();
  const told: number[] = [];
  const bundles: string[] = [];
  const store: RelationshipStore = {
    async all(skipped) {
      for (const rowId of malformed) skipped({ kind: 'relationship', id: 'x', rowId, reason: 'y' });
      return [...stored];
    },
    async create(value, bundle) {
      const created = row(stored.length + 1, value);
      stored.push(created);
      return { row: created, bundle: bundle && { rowId: 9, value: bundle } };
    },
    async update(value, _fields, bundle) {
      const updated = row(1, value);
      stored.splice(0, 1, updated);
      return { row: updated, bundle: bundle && { rowId: 9, value: bundle } };
    },
    async delete() {},
  };
  const relationships = new MemoryRelationships({
    store,
    bundleWritten: ({ value }) => bundles.push(value.trustDomain.name),
    skipped: ({ rowId }) => told.push(rowId),
  });
  const names = () => relationships.rows().map(({ value }) => value.bundleEndpointUrl);
  return { stored, malformed, told, bundles, relationships, names, store };
}

test('what is written is remembered, with the bundle that came with it', async () => {
  const { relationships, names, bundles } = world();
  const bundle = emptyBundle(TrustDomain.parse('a.test'));
  await relationships.create(relationship('a.test'), bundle);
  await relationships.create(relationship('b.test'));
  assert.deepEqual(names(), ['https://a.test/', 'https://b.test/']);
  assert.deepEqual(bundles, ['a.test']);
  await relationships.update(relationship('a.test', '/next'), new Set(), bundle);
  assert.deepEqual(names(), ['https://a.test/next', 'https://b.test/']);
  assert.deepEqual(bundles, ['a.test', 'a.test']);
  await relationships.delete(TrustDomain.parse('a.test'));
  await relationships.delete(TrustDomain.parse('unknown.test'));
  assert.deepEqual(names(), ['https://b.test/']);
  assert.equal(relationships.get(TrustDomain.parse('a.test')), undefined);
});

test('what another server wrote is there once it is read again', async () => {
  const { relationships, names, stored } = world();
  await relationships.create(relationship('a.test'));
  const before = relationships.rows();
  stored.splice(0, 1, row(2, relationship('c.test')));
  assert.deepEqual(names(), ['https://a.test/']);
  await relationships.reload();
  assert.deepEqual(names(), ['https://c.test/']);
  assert.equal(relationships.get(TrustDomain.parse('a.test')), undefined);
  assert.ok(relationships.get(TrustDomain.parse('c.test')));
  assert.equal(before.length, 1, 'a list that was handed out stays as it was');
});

test('what is written while the rows are read is not forgotten', async () => {
  const { relationships, names, store } = world();
  await relationships.create(relationship('a.test'));
  const all = store.all.bind(store);
  for (const [write, expected] of [
    [() => relationships.create(relationship('b.test')), ['https://a.test/', 'https://b.test/']],
    [
      () => relationships.update(relationship('a.test', '/next'), new Set()),
      ['https://a.test/next', 'https://b.test/'],
    ],
  ] as const) {
    // The answer is on its way when the write is done.
    store.all = async (skipped) => {
      const rows = await all(skipped);
      store.all = all;
      await write();
      return rows;
    };
    await relationships.reload();
    assert.deepEqual(names(), expected);
  }
});

test('a malformed row is told once, and again when it comes back', async () => {
  const { relationships, malformed, told } = world();
  malformed.add(7);
  await relationships.reload();
  await relationships.reload();
  assert.deepEqual(told, [7]);
  malformed.add(8);
  await relationships.reload();
  assert.deepEqual(told, [7, 8]);
  malformed.clear();
  await relationships.reload();
  malformed.add(7);
  await relationships.reload();
  assert.deepEqual(told, [7, 8, 7]);
});
