import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { agentCaller, type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { NewJWTSVIDRequestSchema } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { newJwtSvid } from './new-jwt-svid.ts';

const claims = (token = '') =>
  JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url'))) as Record<
    string,
    unknown
  >;

apiSuite('NewJWTSVID', (world) => {
  const caller = () => agentCaller(world.id('/spire/agent/a'));
  const sign = async (
    init: Init<typeof NewJWTSVIDRequestSchema>,
    { call = testCall({ caller: caller() }), deps = world.deps } = {},
  ) => {
    const answer = await newJwtSvid(deps, create(NewJWTSVIDRequestSchema, init), call);
    assert.ok('svid' in answer && answer.svid);
    return answer.svid;
  };

  before(async () => {
    await world.agent('a');
    const parentId = world.id('/spire/agent/a');
    await world.entry({ id: 'web', spiffeId: world.id('/web'), parentId, jwtSvidTtlSeconds: 60 });
    await world.entry({
      id: 'unique',
      spiffeId: world.id('/unique'),
      parentId,
      additionalAttributes: { disableX509SvidPrefetch: false, jwtSvidIncludeJti: true },
    });
    await world.entry({
      id: 'other',
      spiffeId: world.id('/other'),
      parentId: world.id('/spire/agent/b'),
    });
    await world.entry({ id: 'reserved', spiffeId: world.id('/spire/x'), parentId });
  });

  test('signs for what the agent may serve', async () => {
    const now = world.clock.now() / 1000;
    const call = testCall({ caller: caller() });
    const svid = await sign({ entryId: 'web', audience: ['a'] }, { call });
    assert.deepEqual(claims(svid.token), {
      aud: ['a'],
      exp: now + 60,
      iat: now,
      sub: 'spiffe://example.org/web',
    });
    assert.deepEqual(svid.id, { trustDomain: 'example.org', path: '/web' });
    assert.equal(svid.hint ?? '', '');
    assert.deepEqual(call.audited, {
      entry_id: 'web',
      audience: 'a',
      spiffe_id: 'spiffe://example.org/web',
      ttl: 60,
    });
    assert.deepEqual(call.costs, [1]);
  });

  test('tokens are told apart where the entry says so', async () => {
    const { token } = await sign({ entryId: 'unique', audience: ['a'] });
    assert.match(String(claims(token)['jti']), /^[A-Za-z0-9_-]{22}$/);
  });

  const refusals: [
    why: string,
    entryId: string,
    audience: string[],
    kind: string,
    message: string,
  ][] = [
    ['no entry', '', ['a'], 'not-found', 'entry not found or not authorized'],
    ['an unknown entry', 'none', ['a'], 'not-found', 'entry not found or not authorized'],
    [
      'the entry of another agent',
      'other',
      ['a'],
      'not-found',
      'entry not found or not authorized',
    ],
    [
      'an entry for a reserved ID',
      'reserved',
      ['a'],
      'invalid',
      'invalid SPIFFE ID: "spiffe://example.org/spire/x" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
    ['no audience', 'web', [], 'invalid', 'at least one audience is required'],
    [
      'an audience of empty texts',
      'web',
      [''],
      'internal',
      'failed to sign JWT-SVID: invalid JWT-SVID audience: cannot be empty',
    ],
  ];
  for (const [why, entryId, audience, kind, message] of refusals) {
    test(`refuses ${why}`, async () => {
      const call = testCall({ caller: caller() });
      await assert.rejects(sign({ entryId, audience }, { call }), { kind, message });
      assert.equal(call.audited['audience'], audience.join(','));
      assert.equal(call.audited['ttl'], undefined);
    });
  }

  test('refuses everything where JWT-SVIDs are switched off', async () => {
    await assert.rejects(sign({}, { deps: { ...world.deps, jwtSvidsDisabled: true } }), {
      kind: 'unimplemented',
      message: 'JWT functionality is disabled',
    });
  });

  test('the rate limit comes first', async () => {
    const exhausted = new Fault('exhausted', 'rate: Wait(n=1) would exceed context deadline');
    const deps = { ...world.deps, jwtSvidsDisabled: true };
    await assert.rejects(sign({}, { call: testCall({ exhausted }), deps }), {
      kind: 'exhausted',
      message:
        'rejecting request due to JWT signing request rate limiting: rate: Wait(n=1) would exceed context deadline',
    });
  });

  test('nobody but an agent gets here', async () => {
    await assert.rejects(sign({ entryId: 'web', audience: ['a'] }, { call: testCall() }), {
      kind: 'internal',
      message: 'caller ID missing from request context',
    });
  });
});
