import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { GetAgentRequestSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { getAgent } from './get-agent.ts';

apiSuite('GetAgent', (world) => {
  const id = { trustDomain: 'example.org', path: '/spire/agent/a' };
  before(async () => {
    await world.agent('a', { selectors: [{ type: 'x509pop', value: 'cn:a' }] });
  });

  const get = (init: Init<typeof GetAgentRequestSchema>) =>
    getAgent(world.deps, create(GetAgentRequestSchema, init), testCall());

  test('answers with the agent', async () => {
    assert.deepEqual(await get({ id }), {
      id,
      attestationType: 'x509pop',
      x509svidSerialNumber: '1001',
      x509svidExpiresAt: 2_000_000_000n,
      selectors: [{ type: 'x509pop', value: 'cn:a' }],
      banned: false,
      canReattest: false,
      agentVersion: '',
    });
  });

  test('a mask leaves the ID and what it names', async () => {
    assert.deepEqual(await get({ id, outputMask: { x509svidSerialNumber: true } }), {
      id,
      x509svidSerialNumber: '1001',
    });
  });

  test('refuses a request without ID', async () => {
    await assert.rejects(get({}), {
      kind: 'invalid',
      message: 'invalid agent ID: request must specify SPIFFE ID',
    });
  });

  test('does not find what is not there', async () => {
    await assert.rejects(get({ id: { ...id, path: '/spire/agent/b' } }), {
      kind: 'not-found',
      message: 'agent not found',
    });
  });
});
