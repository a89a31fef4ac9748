import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { CreateJoinTokenRequestSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { createJoinToken } from './create-join-token.ts';

apiSuite('CreateJoinToken', (world) => {
  const now = () => world.clock.now() / 1000;
  const make = (
    init: Init<typeof CreateJoinTokenRequestSchema>,
    { call = testCall(), deps = world.deps } = {},
  ) => createJoinToken(deps, create(CreateJoinTokenRequestSchema, init), call);
  const aliases = () => world.deps.entries.rows().map(({ value }) => value);

  test('makes a token that can be spent once', async () => {
    const call = testCall();
    const answer = await make({ ttl: 600 }, { call });
    assert.ok('value' in answer);
    assert.match(answer.value ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/);
    assert.equal(answer.expiresAt, BigInt(now() + 600));
    assert.deepEqual(call.audited, { ttl: 600 });
    assert.equal(
      (await world.datastore.joinTokens.spend(answer.value ?? ''))?.expiresAt,
      now() + 600,
    );
    assert.deepEqual(aliases(), []);
  });

  test('takes the token that is given', async () => {
    const answer = await make({ ttl: 1, token: 'my token' });
    assert.deepEqual(answer, { value: 'my token', expiresAt: BigInt(now() + 1) });
  });

  test('gives the agent of the token a second ID', async () => {
    const call = testCall();
    const agentId = { trustDomain: 'example.org', path: '/nodes' };
    await make({ ttl: 600, token: 'aliased', agentId }, { call });
    assert.equal(call.audited['spiffe_id'], 'spiffe://example.org/nodes');
    const [alias] = aliases();
    const parent = 'spiffe://example.org/spire/agent/join_token/aliased';
    assert.equal(alias?.spiffeId.toString(), 'spiffe://example.org/nodes');
    assert.equal(alias?.parentId.toString(), parent);
    assert.deepEqual(alias?.selectors, [{ type: 'spiffe_id', value: parent }]);
    assert.deepEqual([alias?.x509SvidTtlSeconds, alias?.jwtSvidTtlSeconds], [0, 0]);
  });

  const refusals: [
    why: string,
    init: Init<typeof CreateJoinTokenRequestSchema>,
    message: string,
  ][] = [
    ['without TTL', {}, 'ttl is required, you must provide one'],
    ['with a negative TTL', { ttl: -1 }, 'ttl is required, you must provide one'],
    [
      'for an agent of another trust domain',
      { ttl: 1, agentId: { trustDomain: 'other.test', path: '/a' } },
      'invalid agent ID: "spiffe://other.test/a" is not a member of trust domain "example.org"',
    ],
    [
      'for an ID that is reserved',
      { ttl: 1, agentId: { trustDomain: 'example.org', path: '/spire/agent/a' } },
      'invalid agent ID: "spiffe://example.org/spire/agent/a" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
  ];
  for (const [why, init, message] of refusals) {
    test(`refuses a token ${why}, and stores nothing`, async () => {
      const token = `refused ${why}`;
      await assert.rejects(make({ token, ...init }), { kind: 'invalid', message });
      assert.equal(await world.datastore.joinTokens.spend(token), undefined);
    });
  }

  test('refuses a token that exists', async () => {
    await make({ ttl: 600, token: 'taken' });
    await assert.rejects(make({ ttl: 600, token: 'taken' }), {
      kind: 'internal',
      message: 'failed to create token: datastore-sql: UNIQUE constraint failed: join_tokens.token',
    });
  });

  test('an alias needs a token that can stand in a path', async () => {
    const agentId = { trustDomain: 'example.org', path: '/nodes' };
    await assert.rejects(make({ ttl: 600, token: 'no spaces', agentId }), {
      kind: 'internal',
      message:
        'failed to create join token registration entry: failed to create join token ID: path segment characters are limited to letters, numbers, dots, dashes, and underscores',
    });
  });

  test('an alias that cannot be stored is told of', async () => {
    const entries = {
      ...world.deps.entries,
      async create(): Promise<never> {
        throw new Fault('unknown', 'datastore-sql: database is locked');
      },
    };
    const agentId = { trustDomain: 'example.org', path: '/nodes' };
    await assert.rejects(make({ ttl: 1, agentId }, { deps: { ...world.deps, entries } }), {
      kind: 'internal',
      message: 'failed to create join token registration entry: datastore-sql: database is locked',
    });
  });
});
