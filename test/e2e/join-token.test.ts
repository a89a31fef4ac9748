import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fetchAs } from '../kit/agent-commands.ts';
import { accepts } from '../kit/programs.ts';
import { attestWithToken } from '../kit/server-callers.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** An agent that is refused says why, in these words, and goes on trying; nobody else got in meanwhile. */
async function refused(domain: TrustDomainProcesses, token: string, why: string): Promise<void> {
  const before = await domain.agentPaths();
  const agent = await domain.addAgent('refused');
  const program = agent.run('-joinToken', token);
  await program.says(
    new RegExp(`level=warning msg="Failed to retrieve attestation result" error=".*${why}"`),
  );
  assert.equal(await accepts({ path: agent.socket }), false);
  assert.deepEqual(await domain.agentPaths(), before);
  assert.deepEqual(await program.stop(), { code: 0, signal: null });
}

/** SPIRE's scenario join-token. */
test('a token lets one agent in, as the alias that it was made for', async (t) => {
  const domain = await startServerOnly(t);
  const token = await domain.prepareAgent();
  await domain.firstAgent.configure({
    agent: `join_token = "${token}"`,
    agentKeyManager: 'KeyManager "memory" { plugin_data {} }',
  });
  await domain.startAgent();
  assert.deepEqual(await domain.agentPaths(), [`/spire/agent/join_token/${token}`]);

  await domain.createEntry('/workload', [OWN], '-x509SVIDTTL', '0', '-jwtSVIDTTL', '0');
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  await fetchAs(process.getuid?.() ?? 0, domain.firstAgent, 'x509');

  await refused(
    domain,
    token,
    'failed to attest: join token does not exist or has already been used',
  );
  assert.ok(domain.agent.running);
});

test('a token that nobody made lets nobody in', async (t) => {
  const domain = await startServerOnly(t);
  await domain.prepareAgent();
  await refused(
    domain,
    'no-such-token',
    'failed to attest: join token does not exist or has already been used',
  );
});

test('a token that has expired lets nobody in, and is gone then', async (t) => {
  const domain = await startServerOnly(t);
  await domain.prepareAgent();
  const token = await domain.newToken('-ttl', '1');
  const expiry = Date.now() + 1000;
  // It is the server's clock that counts, and it runs like ours.
  while (Date.now() <= expiry + 1000) await pause(100);
  await refused(domain, token, 'join token expired');
  await refused(
    domain,
    token,
    'failed to attest: join token does not exist or has already been used',
  );
});

test('of many agents that come with one token at once one gets in', async (t) => {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  const token = await domain.newToken();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () => attestWithToken(domain, token)),
  );
  const admitted = outcomes.filter(({ status }) => status === 'fulfilled');
  assert.equal(admitted.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      assert.match(String(outcome.reason), /join token does not exist or has already been used/);
    }
  }
  assert.deepEqual(await domain.agentPaths(), [`/spire/agent/join_token/${token}`]);
});
