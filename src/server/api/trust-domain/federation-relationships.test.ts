import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { type ApiWorld, apiSuite } from '../../../../test/kit/api-world.ts';
import { FakeBundleManager } from '../../../../test/kit/bundle-manager.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import {
  BatchCreateFederationRelationshipRequestSchema as CreateRequest,
  BatchDeleteFederationRelationshipRequestSchema as DeleteRequest,
  GetFederationRelationshipRequestSchema as GetRequest,
  ListFederationRelationshipsRequestSchema as ListRequest,
  ListFederationRelationshipsResponseSchema as ListResponse,
  BatchUpdateFederationRelationshipRequestSchema as UpdateRequest,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { FederationRelationshipSchema } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { batchCreateFederationRelationship } from './batch-create-federation-relationship.ts';
import { batchDeleteFederationRelationship } from './batch-delete-federation-relationship.ts';
import { batchUpdateFederationRelationship } from './batch-update-federation-relationship.ts';
import { getFederationRelationship } from './get-federation-relationship.ts';
import { listFederationRelationships } from './list-federation-relationships.ts';

type Relationship = Init<typeof FederationRelationshipSchema>;

const web = (trustDomain: string): Relationship => ({
  trustDomain,
  bundleEndpointUrl: `https://${trustDomain}/bundle`,
  bundleEndpointProfile: { case: 'httpsWeb', value: {} },
});
const spiffe = (trustDomain: string, endpoint = 'spiffe://e.test/server'): Relationship => ({
  ...web(trustDomain),
  bundleEndpointProfile: { case: 'httpsSpiffe', value: { endpointSpiffeId: endpoint } },
});

/** Both as they are called; the bundle manager is each call's own. */
function calls(world: ApiWorld) {
  const manager = new FakeBundleManager();
  const deps = () => ({ ...world.deps, bundleManager: manager });
  return {
    manager,
    create: (init: Init<typeof CreateRequest>, call = testCall()) =>
      batchCreateFederationRelationship(deps(), create(CreateRequest, init), call),
    update: (init: Init<typeof UpdateRequest>, call = testCall()) =>
      batchUpdateFederationRelationship(deps(), create(UpdateRequest, init), call),
    remove: (init: Init<typeof DeleteRequest>, call = testCall()) =>
      batchDeleteFederationRelationship(deps(), create(DeleteRequest, init), call),
    get: (init: Init<typeof GetRequest>, call = testCall()) =>
      getFederationRelationship(deps(), create(GetRequest, init), call),
    async list(init: Init<typeof ListRequest> = {}) {
      const request = create(ListRequest, init);
      const { bytes } = await listFederationRelationships(deps(), request, testCall());
      return fromBinary(ListResponse, bytes);
    },
  };
}

const ok = { code: 0, message: 'OK' };

apiSuite('BatchCreateFederationRelationship', (world) => {
  test('answers what was given, and stores the bundle that came with it', async () => {
    const { create: make, manager } = calls(world);
    const call = testCall();
    const given = {
      ...web('a.test'),
      trustDomainBundle: { trustDomain: 'spiffe://a.test', refreshHint: 9n },
    };
    const { results } = await make({ federationRelationships: [given, spiffe('b.test')] }, call);
    assert.deepEqual(
      results.map(({ status }) => status),
      [ok, ok],
    );
    assert.partialDeepStrictEqual(results, [
      { federationRelationship: { ...web('a.test'), trustDomainBundle: { refreshHint: 9n } } },
      { federationRelationship: spiffe('b.test') },
    ]);
    assert.equal(world.deps.bundles.get(TrustDomain.parse('a.test'))?.refreshHintSeconds, 9);
    assert.equal(manager.changes, 1);
    assert.deepEqual(call.items, [
      {
        fields: {
          trust_domain_id: 'a.test',
          bundle_endpoint_url: 'https://a.test/bundle',
          bundle_endpoint_profile: 'https_web',
          bundle_trust_domain_id: 'spiffe://a.test',
          bundle_refresh_hint: 9n,
          bundle_sequence_number: 0n,
        },
        refusal: undefined,
      },
      {
        fields: {
          trust_domain_id: 'b.test',
          bundle_endpoint_url: 'https://b.test/bundle',
          bundle_endpoint_profile: 'https_spiffe',
          endpoint_spiffe_id: 'spiffe://e.test/server',
        },
        refusal: undefined,
      },
    ]);
    assert.deepEqual(call.lines, [
      { message: 'Federation relationship created', fields: { trust_domain_id: 'a.test' } },
      {
        message: 'bundle not found for the endpoint SPIFFE ID trust domain',
        fields: { trust_domain_id: 'b.test', endpoint_spiffe_id: 'spiffe://e.test/server' },
      },
      { message: 'Federation relationship created', fields: { trust_domain_id: 'b.test' } },
    ]);
  });

  test('does not answer a bundle that was there before', async () => {
    await world.bundle('c.test', { sequenceNumber: 5n });
    const { results } = await calls(world).create({ federationRelationships: [web('c.test')] });
    assert.equal(results[0]?.federationRelationship?.trustDomainBundle, undefined);
    assert.equal(world.deps.bundles.get(TrustDomain.parse('c.test'))?.sequenceNumber, 5n);
  });

  test('warns of no missing bundle where there is one', async () => {
    await world.bundle('e2.test');
    const call = testCall();
    const relationship = spiffe('d.test', 'spiffe://e2.test/server');
    await calls(world).create({ federationRelationships: [relationship] }, call);
    assert.deepEqual(
      call.lines.map(({ message }) => message),
      ['Federation relationship created'],
    );
  });

  test('a mask leaves the name and what it names', async () => {
    const { results } = await calls(world).create({
      federationRelationships: [spiffe('m.test')],
      outputMask: { bundleEndpointUrl: true },
    });
    assert.deepEqual(results[0]?.federationRelationship, {
      trustDomain: 'm.test',
      bundleEndpointUrl: 'https://m.test/bundle',
    });
  });

  const prefix = 'failed to convert federation relationship:';
  const refusals: [why: string, relationship: Relationship, code: number, message: string][] = [
    ['nothing', {}, 3, `${prefix} failed to parse trust domain: trust domain is missing`],
    [
      'no URL',
      { ...web('x'), bundleEndpointUrl: '' },
      3,
      `${prefix} bundle endpoint URL must use the https scheme`,
    ],
    [
      'a malformed URL',
      { ...web('x'), bundleEndpointUrl: 'https://x/%' },
      3,
      `${prefix} failed to parse bundle endpoint URL: parse "https://x/%": invalid URL escape "%"`,
    ],
    [
      'http',
      { ...web('x'), bundleEndpointUrl: 'http://x' },
      3,
      `${prefix} bundle endpoint URL must use the https scheme`,
    ],
    [
      'a URL without a host',
      { ...web('x'), bundleEndpointUrl: 'https:///x' },
      3,
      `${prefix} bundle endpoint URL must specify the host`,
    ],
    [
      'a URL with user information',
      { ...web('x'), bundleEndpointUrl: 'https://me@x' },
      3,
      `${prefix} bundle endpoint URL must not contain user info`,
    ],
    [
      'no profile',
      { trustDomain: 'x', bundleEndpointUrl: 'https://x' },
      3,
      `${prefix} unsupported bundle endpoint profile type: <nil>`,
    ],
    [
      'a malformed endpoint ID',
      spiffe('x', 'server'),
      3,
      `${prefix} failed to parse endpoint SPIFFE ID: scheme is missing or invalid`,
    ],
    [
      'a malformed bundle',
      {
        ...web('x'),
        trustDomainBundle: { trustDomain: 'x', x509Authorities: [{ asn1: Buffer.from('x') }] },
      },
      3,
      `${prefix} failed to parse bundle: unable to parse X.509 authority:`,
    ],
    [
      'the bundle of another trust domain',
      { ...web('x'), trustDomainBundle: { trustDomain: 'spiffe://y' } },
      3,
      `${prefix} trust domain bundle ("spiffe://y") must match the trust domain of the federation relationship ("x")`,
    ],
    [
      'the own trust domain',
      web('example.org'),
      3,
      'unable to create federation relationship for server trust domain',
    ],
    [
      'one that there is already',
      web('a.test'),
      13,
      'failed to create federation relationship: datastore-sql: UNIQUE constraint failed: federated_trust_domains.trust_domain',
    ],
  ];
  for (const [why, relationship, code, message] of refusals) {
    test(`refuses ${why}, and changes nothing`, async () => {
      const { create: make, manager } = calls(world);
      const before = [world.deps.relationships.rows(), world.deps.bundles.rows()];
      const call = testCall();
      const { results } = await make({ federationRelationships: [relationship] }, call);
      assert.equal(results[0]?.status?.code, code);
      assert.equal(results[0]?.status?.message?.slice(0, message.length), message);
      assert.equal(results[0]?.federationRelationship, undefined);
      assert.deepEqual([world.deps.relationships.rows(), world.deps.bundles.rows()], before);
      assert.equal(manager.changes, 0);
      assert.equal(call.items[0]?.refusal, results[0]?.status?.message);
    });
  }

  test('one that is refused is in nobody’s way', async () => {
    const { create: make, manager } = calls(world);
    const { results } = await make({ federationRelationships: [{}, web('n.test')] });
    assert.deepEqual(
      results.map(({ status }) => status?.code),
      [3, 0],
    );
    assert.equal(manager.changes, 1);
  });
});

apiSuite('BatchUpdateFederationRelationship', (world) => {
  const bundle = { trustDomain: 'u.test', sequenceNumber: 4n };
  const next: Relationship = {
    ...spiffe('u.test'),
    bundleEndpointUrl: 'https://next',
    trustDomainBundle: bundle,
  };
  const given = {
    trust_domain_id: 'u.test',
    bundle_endpoint_url: 'https://next',
    bundle_endpoint_profile: 'https_spiffe',
    endpoint_spiffe_id: 'spiffe://e.test/server',
    bundle_trust_domain_id: 'u.test',
    bundle_refresh_hint: 0n,
    bundle_sequence_number: 4n,
  };
  const none = {
    bundleEndpointUrl: false,
    bundleEndpointProfile: false,
    trustDomainBundle: false,
  };
  const rows: [
    mask: Init<typeof UpdateRequest>['inputMask'],
    url: string,
    profile: string,
    sequence: bigint | undefined,
    audited: object,
  ][] = [
    [none, 'https://u.test/bundle', 'httpsWeb', undefined, { trust_domain_id: 'u.test' }],
    [
      { ...none, bundleEndpointUrl: true },
      'https://next',
      'httpsWeb',
      undefined,
      { trust_domain_id: 'u.test', bundle_endpoint_url: 'https://next' },
    ],
    [
      { ...none, bundleEndpointProfile: true },
      'https://next',
      'httpsSpiffe',
      undefined,
      {
        trust_domain_id: 'u.test',
        bundle_endpoint_profile: 'https_spiffe',
        endpoint_spiffe_id: 'spiffe://e.test/server',
      },
    ],
    [undefined, 'https://next', 'httpsSpiffe', 4n, given],
  ];
  test('replaces what the mask names, and answers with the stored bundle', async () => {
    const { create: make, update, manager } = calls(world);
    await make({ federationRelationships: [web('u.test')] });
    for (const [inputMask, url, profile, sequence, audited] of rows) {
      const call = testCall();
      const init = { federationRelationships: [next], ...(inputMask && { inputMask }) };
      const { results } = await update(init, call);
      const [result] = results;
      assert.deepEqual(result?.status, ok);
      const updated = result.federationRelationship;
      assert.equal(updated?.bundleEndpointUrl, url);
      assert.equal(updated.bundleEndpointProfile?.case, profile);
      assert.equal(updated.trustDomainBundle?.sequenceNumber, sequence);
      assert.deepEqual(call.items, [{ fields: audited, refusal: undefined }]);
      assert.equal(call.lines.at(-1)?.message, 'Federation relationship updated');
    }
    assert.equal(manager.changes, 1 + rows.length);
  });

  test('without a bundle the stored one stays and is answered', async () => {
    const { results } = await calls(world).update({ federationRelationships: [web('u.test')] });
    assert.equal(results[0]?.federationRelationship?.trustDomainBundle?.sequenceNumber, 4n);
  });

  const refusals: [why: string, relationship: Relationship, code: number, message: string][] = [
    [
      'one that is not there',
      web('no.test'),
      13,
      'failed to update federation relationship: unable to fetch federation relationship: record not found',
    ],
    [
      'the own trust domain, which is not there',
      web('example.org'),
      13,
      'failed to update federation relationship: unable to fetch federation relationship: record not found',
    ],
    [
      'what is malformed, masked out or not',
      { ...web('u.test'), bundleEndpointUrl: 'http://x' },
      3,
      'failed to convert federation relationship: bundle endpoint URL must use the https scheme',
    ],
  ];
  for (const [why, relationship, code, message] of refusals) {
    test(`refuses ${why}`, async () => {
      const { update, manager } = calls(world);
      const before = world.deps.relationships.rows();
      const { results } = await update({
        federationRelationships: [relationship],
        inputMask: none,
      });
      assert.deepEqual(results, [{ status: { code, message } }]);
      assert.deepEqual(world.deps.relationships.rows(), before);
      assert.equal(manager.changes, 0);
    });
  }
});

apiSuite('BatchDeleteFederationRelationship', (world) => {
  test('takes relationships away and leaves their bundles', async () => {
    const { create: make, remove, manager } = calls(world);
    await make({
      federationRelationships: [
        { ...web('a.test'), trustDomainBundle: { trustDomain: 'a.test' } },
        web('b.test'),
      ],
    });
    const call = testCall();
    const trustDomains = ['spiffe://a.test/x', 'b.test', 'b.test', 'NO', ''];
    const { results } = await remove({ trustDomains }, call);
    assert.deepEqual(results, [
      { status: ok, trustDomain: 'a.test' },
      { status: ok, trustDomain: 'b.test' },
      { status: { code: 5, message: 'federation relationship not found' }, trustDomain: 'b.test' },
      {
        status: {
          code: 3,
          message:
            'failed to parse trust domain: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
        },
        trustDomain: 'NO',
      },
      { status: { code: 3, message: 'missing trust domain' }, trustDomain: '' },
    ]);
    assert.deepEqual(world.deps.relationships.rows(), []);
    assert.ok(world.deps.bundles.get(TrustDomain.parse('a.test')));
    assert.equal(manager.changes, 2);
    assert.deepEqual(
      call.items.map(({ fields }) => fields['trust_domain_id']),
      trustDomains,
    );
    const { results: nothing } = await remove({ trustDomains: ['b.test'] });
    assert.equal(nothing[0]?.status?.code, 5);
    assert.equal(manager.changes, 2);
  });
});

apiSuite('GetFederationRelationship and ListFederationRelationships', (world) => {
  const all = ['a.test', 'b.test', 'c.test'];
  suite('with three relationships', () => {
    test('they are made', async () => {
      await calls(world).create({ federationRelationships: all.map(web) });
      await world.bundle('b.test', { sequenceNumber: 3n });
    });

    test('one is found by its name or a full ID, with its bundle', async () => {
      for (const trustDomain of ['b.test', 'spiffe://b.test/x']) {
        const call = testCall();
        const found = await calls(world).get({ trustDomain }, call);
        assert.partialDeepStrictEqual(found, {
          ...web('b.test'),
          trustDomainBundle: { trustDomain: 'b.test', sequenceNumber: 3n },
        });
        assert.deepEqual(call.audited, { trust_domain_id: trustDomain });
      }
      const masked = await calls(world).get({ trustDomain: 'b.test', outputMask: {} });
      assert.deepEqual(masked, { trustDomain: 'b.test' });
    });

    test('what cannot be found is refused', async () => {
      await assert.rejects(calls(world).get({ trustDomain: 'x.test' }), {
        kind: 'not-found',
        message: 'federation relationship does not exist',
      });
      await assert.rejects(calls(world).get({ trustDomain: '' }), {
        kind: 'invalid',
        message: 'failed to parse trust domain: trust domain is missing',
      });
    });

    test('all are listed in their order, or page by page', async () => {
      const list = async (init: Init<typeof ListRequest>) => {
        const answer = await calls(world).list(init);
        const names = answer.federationRelationships.map(({ trustDomain }) => trustDomain);
        return { names, token: answer.nextPageToken };
      };
      assert.deepEqual(await list({ pageToken: 'ignored' }), { names: all, token: '' });
      const first = await list({ pageSize: 2 });
      assert.deepEqual(first.names, ['a.test', 'b.test']);
      const second = await list({ pageSize: 2, pageToken: first.token });
      assert.deepEqual(second.names, ['c.test']);
      assert.deepEqual(await list({ pageSize: 2, pageToken: second.token }), {
        names: [],
        token: '',
      });
      await assert.rejects(list({ pageSize: 1, pageToken: 'x' }), {
        kind: 'internal',
        message: "failed to list federation relationships: could not parse token 'x'",
      });
    });
  });
});
