import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentCaller, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { postStatus } from './post-status.ts';

apiSuite('PostStatus', (world) => {
  const callOf = (name: string) =>
    testCall({ caller: agentCaller(world.id(`/spire/agent/${name}`)) });
  const versionOf = (name: string) =>
    world.deps.agents.get(world.id(`/spire/agent/${name}`))?.agentVersion;

  test('notes the version of the agent that calls', async () => {
    await world.agent('a');
    const call = callOf('a');
    await postStatus(world.deps, { agentVersion: '1.16.0' }, call);
    assert.equal(versionOf('a'), '1.16.0');
    assert.deepEqual(call.costs, [1]);
    assert.deepEqual(call.audited, {
      spiffe_id: 'spiffe://example.org/spire/agent/a',
      agent_version: '1.16.0',
    });
    assert.deepEqual(call.lines, [
      {
        message: 'Agent status updated',
        fields: { agent_version: '1.16.0', spiffe_id: 'spiffe://example.org/spire/agent/a' },
      },
    ]);
  });

  test('writes a known version no second time', async () => {
    await world.agent('k');
    await postStatus(world.deps, { agentVersion: '1.16.0' }, callOf('k'));
    const agents = {
      get: world.deps.agents.get.bind(world.deps.agents),
      update: () => assert.fail('written again'),
    };
    await postStatus({ agents }, { agentVersion: '1.16.0' }, callOf('k'));
  });

  test('an empty version stores nothing', async () => {
    await world.agent('e');
    const call = callOf('e');
    await postStatus(world.deps, { agentVersion: '' }, call);
    assert.equal(versionOf('e'), '');
    assert.deepEqual(call.audited, { spiffe_id: 'spiffe://example.org/spire/agent/e' });
  });

  test('refuses a version that is too long, and changes nothing', async () => {
    await world.agent('l');
    await postStatus(world.deps, { agentVersion: 'x'.repeat(255) }, callOf('l'));
    await assert.rejects(postStatus(world.deps, { agentVersion: 'é'.repeat(128) }, callOf('l')), {
      kind: 'invalid',
      message: 'agent version is too long (max 255 characters)',
    });
    assert.equal(versionOf('l'), 'x'.repeat(255));
  });

  test('an agent that is not there is told so', async () => {
    await assert.rejects(postStatus(world.deps, { agentVersion: '1' }, callOf('nobody')), {
      kind: 'not-found',
      message: 'agent not found',
    });
  });
});
