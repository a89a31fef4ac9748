import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { BanAgentRequestSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { banAgent } from './ban-agent.ts';

const argument = (path: string) =>
  create(BanAgentRequestSchema, { id: { trustDomain: 'example.org', path } });

apiSuite('BanAgent', (world) => {
  const ban = (request: ReturnType<typeof argument>, call = testCall()) =>
    banAgent(world.deps, request, call);

  test('bans an agent, in the datastore too', async () => {
    await world.agent('a');
    const call = testCall();
    assert.deepEqual(await ban(argument('/spire/agent/a'), call), {});
    assert.deepEqual(call.audited, { spiffe_id: 'spiffe://example.org/spire/agent/a' });
    assert.equal(call.lines[0]?.message, 'Agent banned');
    assert.equal(world.deps.agents.get(world.id('/spire/agent/a'))?.serialNumber, '');
    assert.equal(
      (await world.datastore.agents.get(world.id('/spire/agent/a')))?.value.serialNumber,
      '',
    );
  });

  test('banning twice succeeds', async () => {
    await world.agent('twice');
    await ban(argument('/spire/agent/twice'));
    await ban(argument('/spire/agent/twice'));
  });

  test('refuses what is no agent', async () => {
    await assert.rejects(ban(argument('/web')), {
      kind: 'invalid',
      message: /^invalid agent ID: .*; path is not in the agent namespace$/,
    });
    await assert.rejects(ban(create(BanAgentRequestSchema)), {
      kind: 'invalid',
      message: 'invalid agent ID: request must specify SPIFFE ID',
    });
  });

  test('does not find what is not there', async () => {
    const call = testCall();
    await assert.rejects(ban(argument('/spire/agent/nobody'), call), {
      kind: 'not-found',
      message: 'agent not found',
    });
    assert.deepEqual(call.lines, []);
  });

  test('a failing datastore is told of', async () => {
    const agents = {
      async ban() {
        throw new Fault('unknown', 'datastore-sql: database is locked');
      },
    };
    await assert.rejects(
      banAgent({ ...world.deps, agents }, argument('/spire/agent/a'), testCall()),
      { kind: 'internal', message: 'failed to ban agent: datastore-sql: database is locked' },
    );
  });
});
