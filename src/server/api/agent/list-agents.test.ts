import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import {
  CountAgentsRequestSchema,
  ListAgentsRequestSchema,
  ListAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { AgentSchema } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import { countAgents } from './count-agents.ts';
import { listAgents } from './list-agents.ts';

apiSuite('ListAgents and CountAgents', (world) => {
  before(async () => {
    await world.agent('a', { selectors: [{ type: 'x509pop', value: 'cn:a' }], expiresAt: 1000 });
    await world.agent('b', { canReattest: true });
    await world.agent('c', { attestationType: 'join_token' });
    await world.deps.agents.ban(world.id('/spire/agent/c'));
  });

  const list = async (init: Init<typeof ListAgentsRequestSchema>) => {
    const request = create(ListAgentsRequestSchema, init);
    const { bytes } = await listAgents(world.deps, request, testCall());
    const { agents, nextPageToken } = fromBinary(ListAgentsResponseSchema, bytes);
    const names = agents.map(({ id }) => id?.path.replace('/spire/agent/', ''));
    return { names, token: nextPageToken, agents };
  };

  const filters: [
    what: string,
    filter: Init<typeof CountAgentsRequestSchema>['filter'],
    names: string[],
  ][] = [
    ['all', undefined, ['a', 'b', 'c']],
    ['of one attestor', { byAttestationType: 'join_token' }, ['c']],
    ['that are banned', { byBanned: true }, ['c']],
    ['that are not', { byBanned: false }, ['a', 'b']],
    ['that can attest again', { byCanReattest: true }, ['b']],
    [
      'with selectors',
      { bySelectorMatch: { selectors: [{ type: 'x509pop', value: 'cn:a' }] } },
      ['a'],
    ],
    ['that expire early', { byExpiresBefore: '1970-01-02 00:00:00 +0000 +00' }, ['a']],
    ['of whom there are none', { byAttestationType: 'other' }, []],
  ];
  for (const [what, filter, expected] of filters) {
    test(`agents ${what}`, async () => {
      const { names } = await list(filter ? { filter: filter as never } : {});
      assert.deepEqual(names, expected);
      const request = create(CountAgentsRequestSchema, filter ? { filter } : {});
      assert.deepEqual(await countAgents(world.deps, request, testCall()), {
        count: expected.length,
      });
    });
  }

  test('cuts pages', async () => {
    const first = await list({ pageSize: 2 });
    assert.deepEqual(first.names, ['a', 'b']);
    const second = await list({ pageSize: 2, pageToken: first.token ?? '' });
    assert.deepEqual(second.names, ['c']);
    const last = await list({ pageSize: 2, pageToken: second.token ?? '' });
    assert.deepEqual([last.names, last.token], [[], '']);
  });

  test('a mask leaves the ID and what it names', async () => {
    const { agents } = await list({ outputMask: { banned: true }, filter: { byBanned: true } });
    const id = { trustDomain: 'example.org', path: '/spire/agent/c' };
    assert.deepEqual(agents, [create(AgentSchema, { id, banned: true })]);
  });

  test('refuses a token that is none', async () => {
    await assert.rejects(list({ pageSize: 1, pageToken: 'x' }), {
      kind: 'internal',
      message: "failed to list agents: could not parse token 'x'",
    });
  });

  test('refuses to count by a malformed selector', async () => {
    const filter = { bySelectorMatch: {} };
    await assert.rejects(
      countAgents(world.deps, create(CountAgentsRequestSchema, { filter }), testCall()),
      { kind: 'internal', message: 'failed to count agents: cannot list by empty selectors set' },
    );
  });
});
