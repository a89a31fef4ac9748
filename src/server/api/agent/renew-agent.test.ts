import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { agentCaller, type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite, damaged } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { RenewAgentRequestSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { sha256Hex } from '../audit-values.ts';
import { renewAgent } from './renew-agent.ts';

apiSuite('RenewAgent', (world) => {
  const caller = (name: string) => agentCaller(world.id(`/spire/agent/${name}`));
  const renew = (
    name: string,
    init: Init<typeof RenewAgentRequestSchema>,
    { call = testCall({ caller: caller(name) }), deps = world.deps } = {},
  ) => renewAgent(deps, create(RenewAgentRequestSchema, init), call);

  test('issues an SVID that waits beside the old one', async () => {
    await world.agent('a');
    const csr = await world.csr();
    const call = testCall({ caller: caller('a') });
    const answer = await renew('a', { params: { csr } }, { call });
    assert.ok('svid' in answer && answer.svid);
    const leaf = parseCertificate(answer.svid.certChain?.[0] ?? new Uint8Array());
    assert.deepEqual(leaf.uris, ['spiffe://example.org/spire/agent/a']);
    assert.deepEqual(answer.svid.id, { trustDomain: 'example.org', path: '/spire/agent/a' });
    assert.equal(answer.svid.expiresAt, BigInt(leaf.notAfter));

    const agent = world.deps.agents.get(world.id('/spire/agent/a'));
    assert.equal(agent?.serialNumber, '1001');
    assert.equal(agent?.newSerialNumber, leaf.serialNumber.toString());
    assert.equal(agent?.newExpiresAt, leaf.notAfter);
    assert.deepEqual(call.audited, { csr: sha256Hex(csr) });
    assert.deepEqual(call.costs, [1]);
    assert.equal(call.lines[0]?.message, 'Renewing agent SVID');
  });

  const refusals: [
    why: string,
    init: Init<typeof RenewAgentRequestSchema>,
    message: string | RegExp,
  ][] = [
    ['without params', {}, 'params cannot be nil'],
    ['without CSR', { params: {} }, 'missing CSR'],
    ['with a CSR that is none', { params: { csr: Buffer.from('no') } }, /^failed to parse CSR: ./],
  ];
  for (const [why, init, message] of refusals) {
    test(`refuses a request ${why}, and changes nothing`, async () => {
      await world.agent('b');
      await assert.rejects(renew('b', init), { kind: 'invalid', message });
      assert.equal(world.deps.agents.get(world.id('/spire/agent/b'))?.newSerialNumber, '');
    });
  }

  test('a CSR that its key did not sign gets no SVID', async () => {
    await world.agent('d');
    await assert.rejects(renew('d', { params: { csr: damaged(await world.csr()) } }), {
      kind: 'invalid',
      message: /^failed to verify CSR signature: ./,
    });
    assert.equal(world.deps.agents.get(world.id('/spire/agent/d'))?.newSerialNumber, '');
  });

  test('an agent that can attest again must do so', async () => {
    await world.agent('r', { canReattest: true });
    await assert.rejects(renew('r', { params: { csr: await world.csr() } }), {
      kind: 'denied',
      denial: 'must-reattest',
      message: 'agent must reattest instead of renew',
    });
  });

  test('an agent that was deleted meanwhile is not found', async () => {
    await assert.rejects(renew('nobody', {}), { kind: 'not-found', message: 'agent not found' });
  });

  test('an agent that is banned meanwhile gets nothing', async () => {
    const agent = await world.agent('banned');
    const agents = {
      confirm: async () => agent,
      update: world.deps.agents.update.bind(world.deps.agents),
    };
    await world.deps.agents.ban(agent.id);
    await assert.rejects(
      renewAgent(
        { ...world.deps, agents },
        create(RenewAgentRequestSchema, { params: { csr: await world.csr() } }),
        testCall({ caller: caller('banned') }),
      ),
      { kind: 'internal', message: /^failed to update agent: / },
    );
  });

  test('the rate limit comes first', async () => {
    const exhausted = new Fault('exhausted', 'rate: Wait(n=1) would exceed context deadline');
    const call = testCall({ caller: caller('nobody'), exhausted });
    await assert.rejects(renew('nobody', {}, { call }), {
      kind: 'exhausted',
      message:
        'rejecting request due to renew agent rate limiting: rate: Wait(n=1) would exceed context deadline',
    });
  });

  test('failures of what it needs are told of', async () => {
    await world.agent('f');
    const csr = await world.csr();
    const failing = (text: string) => async (): Promise<never> => {
      throw new Fault('unknown', text);
    };
    const { deps } = world;
    const agents = (part: object) => ({ ...deps, agents: { ...deps.agents, ...part } });
    const unreadable = { confirm: failing('datastore-sql: gone') };
    await assert.rejects(renew('f', { params: { csr } }, { deps: agents(unreadable) }), {
      kind: 'internal',
      message: 'failed to fetch agent: datastore-sql: gone',
    });
    const issuer = {
      ...deps.issuer,
      agentX509Svid: failing('X509 CA is not available for signing'),
    };
    await assert.rejects(renew('f', { params: { csr } }, { deps: { ...deps, issuer } }), {
      kind: 'internal',
      message: 'failed to sign X509 SVID: X509 CA is not available for signing',
    });
  });

  test('nobody but an agent gets here', async () => {
    await assert.rejects(renew('a', {}, { call: testCall() }), {
      kind: 'internal',
      message: 'caller ID missing from request context',
    });
  });
});
