import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import {
  GetFederatedBundleRequestSchema,
  ListFederatedBundlesRequestSchema,
  ListFederatedBundlesResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { getFederatedBundle } from './get-federated-bundle.ts';
import { listFederatedBundles } from './list-federated-bundles.ts';

apiSuite('GetFederatedBundle and ListFederatedBundles', (world) => {
  before(async () => {
    await world.bundle('b.test', { sequenceNumber: 7n, refreshHintSeconds: 60 });
    await world.bundle('c.test');
  });

  const get = (init: Init<typeof GetFederatedBundleRequestSchema>, call = testCall()) =>
    getFederatedBundle(world.deps, create(GetFederatedBundleRequestSchema, init), call);
  const list = async (init: Init<typeof ListFederatedBundlesRequestSchema>) => {
    const request = create(ListFederatedBundlesRequestSchema, init);
    const { bytes } = await listFederatedBundles(world.deps, request, testCall());
    const { bundles, nextPageToken } = fromBinary(ListFederatedBundlesResponseSchema, bytes);
    return {
      names: bundles.map(({ trustDomain }) => trustDomain),
      token: nextPageToken,
      bundles,
    };
  };

  test('finds a bundle by its name or a full ID', async () => {
    for (const trustDomain of ['b.test', 'spiffe://b.test/x']) {
      const call = testCall();
      const answer = await get({ trustDomain }, call);
      assert.ok('trustDomain' in answer);
      assert.equal(answer.trustDomain, 'b.test');
      assert.equal(answer.sequenceNumber, 7n);
      assert.deepEqual(call.audited, { trust_domain_id: trustDomain });
    }
  });

  test('a mask leaves the name and what it names', async () => {
    assert.deepEqual(await get({ trustDomain: 'b.test', outputMask: { refreshHint: true } }), {
      trustDomain: 'b.test',
      refreshHint: 60n,
    });
  });

  const refusals: [why: string, trustDomain: string, kind: string, message: string][] = [
    ['no name', '', 'invalid', 'trust domain argument is not valid: trust domain is missing'],
    [
      'a malformed name',
      'NO',
      'invalid',
      'trust domain argument is not valid: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
    ],
    [
      'the own name',
      'example.org',
      'invalid',
      "getting a federated bundle for the server's own trust domain is not allowed",
    ],
    ['an unknown name', 'd.test', 'not-found', 'bundle not found'],
  ];
  for (const [why, trustDomain, kind, message] of refusals) {
    test(`refuses ${why}`, async () => {
      await assert.rejects(get({ trustDomain }), { kind, message });
    });
  }

  test('lists all but the own', async () => {
    assert.deepEqual((await list({})).names, ['b.test', 'c.test']);
  });

  test('the own one leaves a gap in its page', async () => {
    const pages: unknown[] = [];
    for (let pageToken = ''; ; ) {
      const { names, token } = await list({ pageSize: 1, pageToken });
      pages.push(names);
      if (token === '') break;
      pageToken = token;
    }
    assert.deepEqual(pages, [[], ['b.test'], ['c.test'], []]);
  });

  test('lists the fields of the mask', async () => {
    const { bundles } = await list({ outputMask: { sequenceNumber: true } });
    const expected = create(BundleSchema, { trustDomain: 'b.test', sequenceNumber: 7n });
    assert.deepEqual(bundles[0], expected);
  });

  test('refuses a token that is none', async () => {
    await assert.rejects(list({ pageSize: 1, pageToken: 'x' }), {
      kind: 'internal',
      message: "failed to list bundles: could not parse token 'x'",
    });
  });
});
