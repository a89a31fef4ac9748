import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { DeleteAgentRequestSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { deleteAgent } from './delete-agent.ts';

const argument = (path: string) =>
  create(DeleteAgentRequestSchema, { id: { trustDomain: 'example.org', path } });

apiSuite('DeleteAgent', (world) => {
  const delete_ = (request: ReturnType<typeof argument>, call = testCall()) =>
    deleteAgent(world.deps, request, call);

  test('deletes an agent, in the datastore too', async () => {
    await world.agent('a');
    const call = testCall();
    assert.deepEqual(await delete_(argument('/spire/agent/a'), call), {});
    assert.deepEqual(call.audited, { spiffe_id: 'spiffe://example.org/spire/agent/a' });
    assert.equal(call.lines[0]?.message, 'Agent deleted');
    assert.equal(world.deps.agents.get(world.id('/spire/agent/a')), undefined);
    assert.equal(await world.datastore.agents.get(world.id('/spire/agent/a')), undefined);
  });

  test('an agent that attested with a token takes its alias with it', async () => {
    const agent = await world.agent('join_token/abc', { attestationType: 'join_token' });
    await world.entry({
      id: 'alias',
      spiffeId: world.id('/nodes'),
      parentId: agent.id,
      selectors: [{ type: 'spiffe_id', value: agent.id.toString() }],
    });
    await delete_(argument('/spire/agent/join_token/abc'));
    assert.equal(world.deps.entries.get('alias'), undefined);
  });

  test('deleting twice does not find it', async () => {
    await world.agent('twice');
    await delete_(argument('/spire/agent/twice'));
    await assert.rejects(delete_(argument('/spire/agent/twice')), { kind: 'not-found' });
  });

  test('refuses what is no agent', async () => {
    await assert.rejects(delete_(argument('/web')), {
      kind: 'invalid',
      message: /^invalid agent ID: .*; path is not in the agent namespace$/,
    });
    await assert.rejects(delete_(create(DeleteAgentRequestSchema)), {
      kind: 'invalid',
      message: 'invalid agent ID: request must specify SPIFFE ID',
    });
  });

  test('does not find what is not there', async () => {
    const call = testCall();
    await assert.rejects(delete_(argument('/spire/agent/nobody'), call), {
      kind: 'not-found',
      message: 'agent not found',
    });
    assert.deepEqual(call.lines, []);
  });

  test('a failing datastore is told of', async () => {
    const agents = {
      async delete() {
        throw new Fault('unknown', 'datastore-sql: database is locked');
      },
    };
    await assert.rejects(
      deleteAgent({ ...world.deps, agents }, argument('/spire/agent/a'), testCall()),
      { kind: 'internal', message: 'failed to remove agent: datastore-sql: database is locked' },
    );
  });
});
