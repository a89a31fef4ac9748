import assert from 'node:assert/strict';
import { noneSkipped } from '../../../test/kit/datastore.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore, RelationshipField } from './contract.ts';

type Scenario = (title: string, act: (datastore: Datastore) => Promise<void>) => void;

const [B, C] = [TrustDomain.parse('b.test'), TrustDomain.parse('c.test')];
const allFields: ReadonlySet<RelationshipField> = new Set([
  'bundleEndpointUrl',
  'bundleEndpointProfile',
]);
const web: FederationRelationship = {
  trustDomain: B,
  bundleEndpointUrl: 'https://b.test/bundle',
  bundleEndpointProfile: { kind: 'https_web' },
};
const spiffe: FederationRelationship = {
  trustDomain: C,
  bundleEndpointUrl: 'https://c.test:8443',
  bundleEndpointProfile: {
    kind: 'https_spiffe',
    endpointSpiffeId: SpiffeId.parse('spiffe://c.test/spire/server'),
  },
};

/** What the relationships of every datastore promise; part of its suite. */
export function relationships(
  scenario: Scenario,
  duplicate: (...columns: string[]) => string,
): void {
  const read = ({ relationships: store }: Datastore) => store.all(noneSkipped);

  scenario('relationships are read as they were created, in their order', async (datastore) => {
    const first = await datastore.relationships.create(spiffe);
    const second = await datastore.relationships.create(web);
    assert.deepEqual(
      [first, second].map(({ row, bundle }) => ({ value: row.value, bundle })),
      [
        { value: spiffe, bundle: undefined },
        { value: web, bundle: undefined },
      ],
    );
    assert.deepEqual(await read(datastore), [first.row, second.row]);
  });

  scenario('there is one relationship with a trust domain', async (datastore) => {
    const { row } = await datastore.relationships.create(web);
    const again = { ...spiffe, trustDomain: B };
    await assert.rejects(datastore.relationships.create(again, emptyBundle(B)), {
      kind: 'already-exists',
      message: duplicate('federated_trust_domains.trust_domain'),
    });
    assert.deepEqual(await read(datastore), [row]);
    assert.equal(await datastore.bundles.get(B), undefined);
  });

  scenario('a bundle that comes with a relationship replaces the stored one', async (datastore) => {
    const given = { ...emptyBundle(B), sequenceNumber: 7n };
    const created = await datastore.relationships.create(web, given);
    assert.deepEqual(created.bundle?.value, given);
    assert.deepEqual(await datastore.bundles.get(B), created.bundle);
    const next = { ...emptyBundle(B), sequenceNumber: 3n };
    const updated = await datastore.relationships.update(web, new Set(), next);
    assert.deepEqual(updated.bundle, { rowId: created.bundle?.rowId, value: next });
    assert.deepEqual((await datastore.bundles.get(B))?.value, next);
    await datastore.relationships.update(web, allFields);
    assert.deepEqual((await datastore.bundles.get(B))?.value, next);
  });

  scenario('an update replaces the fields that it names', async (datastore) => {
    const { row } = await datastore.relationships.create(web);
    const wanted = { ...spiffe, trustDomain: B };
    const { bundleEndpointUrl, bundleEndpointProfile } = wanted;
    for (const [fields, value] of [
      [[], web],
      [['bundleEndpointUrl'], { ...web, bundleEndpointUrl }],
      [['bundleEndpointProfile'], { ...web, bundleEndpointUrl, bundleEndpointProfile }],
    ] as const) {
      const updated = await datastore.relationships.update(wanted, new Set(fields));
      assert.deepEqual(updated.row, { rowId: row.rowId, value });
      assert.deepEqual(await read(datastore), [updated.row]);
    }
    await datastore.relationships.update(web, allFields);
    assert.deepEqual(await read(datastore), [row]);
  });

  scenario('a relationship that is not there is not changed', async (datastore) => {
    await assert.rejects(datastore.relationships.update(web, allFields, emptyBundle(B)), {
      kind: 'not-found',
      message: 'unable to fetch federation relationship: record not found',
    });
    await assert.rejects(datastore.relationships.delete(B), {
      kind: 'not-found',
      message: 'datastore-sql: record not found',
    });
    assert.deepEqual(await read(datastore), []);
    assert.equal(await datastore.bundles.get(B), undefined);
  });

  scenario('a deleted relationship leaves its bundle', async (datastore) => {
    await datastore.relationships.create(web, emptyBundle(B));
    await datastore.relationships.create(spiffe);
    await datastore.relationships.delete(B);
    const values = (await read(datastore)).map(({ value }) => value);
    assert.deepEqual(values, [spiffe]);
    assert.ok(await datastore.bundles.get(B));
    await datastore.relationships.create(web);
  });
}
