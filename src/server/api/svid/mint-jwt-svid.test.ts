import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { logList } from '../../../ops/log-list.ts';
import { MintJWTSVIDRequestSchema } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { rfc3339 } from '../audit-values.ts';
import { mintJwtSvid } from './mint-jwt-svid.ts';

/** The claims of a token, unverified. */
const claims = (token = '') =>
  JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url'))) as Record<
    string,
    unknown
  >;

apiSuite('MintJWTSVID', (world) => {
  const id = { trustDomain: 'example.org', path: '/web' };
  const mint = async (
    init: Init<typeof MintJWTSVIDRequestSchema>,
    { call = testCall(), deps = world.deps } = {},
  ) => {
    const answer = await mintJwtSvid(deps, create(MintJWTSVIDRequestSchema, init), call);
    assert.ok('svid' in answer && answer.svid);
    return answer.svid;
  };

  test('signs for any workload', async () => {
    const now = world.clock.now() / 1000;
    const call = testCall();
    const svid = await mint({ id, audience: ['a', '', 'b'], ttl: 60 }, { call });
    assert.deepEqual(claims(svid.token), {
      aud: ['a', 'b'],
      exp: now + 60,
      iat: now,
      sub: 'spiffe://example.org/web',
    });
    assert.deepEqual(svid.id, id);
    assert.equal(svid.expiresAt, BigInt(now + 60));
    assert.equal(svid.issuedAt, BigInt(now));
    assert.deepEqual(call.audited, {
      ttl: 60,
      audience: 'a,,b',
      spiffe_id: 'spiffe://example.org/web',
    });
    assert.deepEqual(call.lines, [
      {
        message: 'Server CA successfully signed JWT SVID',
        fields: {
          spiffe_id: 'spiffe://example.org/web',
          audience: logList(['a', '', 'b']),
          expiration: rfc3339(now + 60),
        },
      },
    ]);
  });

  test('has the default lifetime', async () => {
    const svid = await mint({ id, audience: ['a'] });
    assert.equal(svid.expiresAt, BigInt(world.clock.now() / 1000 + 300));
  });

  const refusals: [
    why: string,
    init: Init<typeof MintJWTSVIDRequestSchema>,
    kind: string,
    message: string,
  ][] = [
    ['no ID', { audience: ['a'] }, 'invalid', 'invalid SPIFFE ID: request must specify SPIFFE ID'],
    [
      'another trust domain',
      { id: { trustDomain: 'other.test', path: '/web' }, audience: ['a'] },
      'invalid',
      'invalid SPIFFE ID: "spiffe://other.test/web" is not a member of trust domain "example.org"',
    ],
    [
      'a reserved ID',
      { id: { ...id, path: '/spire/server' }, audience: ['a'] },
      'invalid',
      'invalid SPIFFE ID: "spiffe://example.org/spire/server" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
    ['no audience', { id }, 'invalid', 'at least one audience is required'],
    [
      'an audience of empty texts',
      { id, audience: [''] },
      'internal',
      'failed to sign JWT-SVID: invalid JWT-SVID audience: cannot be empty',
    ],
  ];
  for (const [why, init, kind, message] of refusals) {
    test(`refuses ${why}`, async () => {
      await assert.rejects(mint(init), { kind, message });
    });
  }

  test('refuses everything where JWT-SVIDs are switched off', async () => {
    await assert.rejects(mint({}, { deps: { ...world.deps, jwtSvidsDisabled: true } }), {
      kind: 'unimplemented',
      message: 'JWT functionality is disabled',
    });
  });

  test('a key that cannot sign is told of', async () => {
    const issuer = {
      ...world.deps.issuer,
      async workloadJwtSvid(): Promise<never> {
        throw new Fault('internal', 'JWT key is not available for signing');
      },
    };
    await assert.rejects(mint({ id, audience: ['a'] }, { deps: { ...world.deps, issuer } }), {
      kind: 'internal',
      message: 'failed to sign JWT-SVID: JWT key is not available for signing',
    });
  });
});
