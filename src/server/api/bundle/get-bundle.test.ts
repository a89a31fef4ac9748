import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleToProto } from '../../../wire/bundle.ts';
import { GetBundleRequestSchema } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { countBundles } from './count-bundles.ts';
import { getBundle } from './get-bundle.ts';

apiSuite('GetBundle and CountBundles', (world) => {
  const request = (outputMask?: { sequenceNumber: boolean }) =>
    create(GetBundleRequestSchema, outputMask ? { outputMask } : {});

  test('answers with the own bundle', async () => {
    const call = testCall();
    const answer = await getBundle(world.deps, request(), call);
    assert.deepEqual(answer, bundleToProto(world.ownBundle));
    assert.ok('x509Authorities' in answer && answer.x509Authorities?.length === 1);
    assert.ok(answer.jwtAuthorities?.length === 1);
    assert.deepEqual(call.audited, { trust_domain_id: 'example.org' });
  });

  test('a mask leaves the name and what it names', async () => {
    assert.deepEqual(await getBundle(world.deps, request({ sequenceNumber: true }), testCall()), {
      trustDomain: 'example.org',
      sequenceNumber: world.ownBundle.sequenceNumber,
    });
  });

  test('does not find what is not there', async () => {
    const deps = { ...world.deps, trustDomain: TrustDomain.parse('nobody.test') };
    await assert.rejects(getBundle(deps, request(), testCall()), {
      kind: 'not-found',
      message: 'bundle not found',
    });
  });

  test('the own bundle counts too', async () => {
    assert.deepEqual(await countBundles(world.deps), { count: 1 });
    await world.bundle('b.test');
    assert.deepEqual(await countBundles(world.deps), { count: 2 });
  });
});
