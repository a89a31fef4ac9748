import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { PublishJWTAuthorityRequestSchema } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { sha256Hex } from '../audit-values.ts';
import { publishJwtAuthority } from './publish-jwt-authority.ts';

apiSuite('PublishJWTAuthority', (world) => {
  const publish = async (
    init: Init<typeof PublishJWTAuthorityRequestSchema>,
    { call = testCall(), deps = world.deps } = {},
  ) => {
    const request = create(PublishJWTAuthorityRequestSchema, init);
    const answer = await publishJwtAuthority(deps, request, call);
    assert.ok('jwtAuthorities' in answer);
    return answer.jwtAuthorities ?? [];
  };
  const spki = async () => (await world.key()).publicKey.spki;

  test('the key joins those of the own bundle, all of which are answered', async () => {
    const call = testCall();
    const own = world.ownBundle.jwtAuthorities.length;
    const jwtAuthority = { publicKey: await spki(), keyId: 'below', expiresAt: 2_000_000_000n };
    const all = await publish({ jwtAuthority }, { call });
    assert.equal(all.length, own + 1);
    assert.equal(all.at(-1)?.keyId, 'below');
    assert.deepEqual(world.ownBundle.jwtAuthorities.at(-1)?.keyId, 'below');
    assert.deepEqual(call.audited, {
      jwt_authority_expires_at: 2_000_000_000n,
      jwt_authority_key_id: 'below',
      jwt_authority_public_key_sha256: sha256Hex(jwtAuthority.publicKey),
    });
    assert.deepEqual(call.costs, [1]);
  });

  test('the same key twice is there once', async () => {
    const jwtAuthority = { publicKey: await spki(), keyId: 'twice', expiresAt: 1n };
    const once = await publish({ jwtAuthority });
    assert.equal((await publish({ jwtAuthority })).length, once.length);
  });

  const refusals: [
    why: string,
    init: Init<typeof PublishJWTAuthorityRequestSchema>,
    message: string | RegExp,
  ][] = [
    ['nothing', {}, 'missing JWT authority'],
    [
      'a key that is none',
      { jwtAuthority: { publicKey: Buffer.from('no'), keyId: 'k' } },
      /^invalid JWT authority: ./,
    ],
    ['an empty key', { jwtAuthority: { keyId: 'k' } }, /^invalid JWT authority: ./],
  ];
  for (const [why, init, message] of refusals) {
    test(`refuses ${why}`, async () => {
      await assert.rejects(publish(init), { kind: 'invalid', message });
    });
  }

  test('refuses a key without ID', async () => {
    await assert.rejects(publish({ jwtAuthority: { publicKey: await spki() } }), {
      kind: 'invalid',
      message: 'invalid JWT authority: missing key ID',
    });
  });

  test('the rate limit comes first', async () => {
    const exhausted = new Fault('exhausted', 'rate: Wait(n=1) would exceed context deadline');
    await assert.rejects(publish({}, { call: testCall({ exhausted }) }), {
      kind: 'exhausted',
      message:
        'rejecting request due to key publishing rate limiting: rate: Wait(n=1) would exceed context deadline',
    });
  });

  test('a failure to publish is told of', async () => {
    const deps = {
      ...world.deps,
      async publishJwtAuthority(): Promise<never> {
        throw new Fault('unavailable', 'upstream is away');
      },
    };
    await assert.rejects(
      publish({ jwtAuthority: { publicKey: await spki(), keyId: 'k' } }, { deps }),
      { kind: 'internal', message: 'failed to publish JWT key: upstream is away' },
    );
  });
});
