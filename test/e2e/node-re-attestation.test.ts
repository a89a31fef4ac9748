import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/programs.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

/** An agent that can prove again who it is, and one that cannot. */
async function twoAgents(t: Parameters<typeof startX509popDomain>[0]) {
  const { domain, node } = await startX509popDomain(t);
  await domain.startAgent();
  const token = await domain.newToken();
  const once = await domain.addAgent('once');
  await once.start('-joinToken', token);
  const oncePath = `/spire/agent/join_token/${token}`;
  assert.deepEqual((await domain.agentPaths()).toSorted(), [oncePath, node.path].toSorted());
  return { domain, node, once, oncePath };
}

/** SPIRE's scenario node-re-attestation. */
test('evicted, an agent that can attests again by itself; one that cannot ends', async (t) => {
  const { domain, node, once, oncePath } = await twoAgents(t);
  for (const path of [node.path, oncePath]) {
    await domain.runServer('agent', 'evict', '-spiffeID', domain.id(path));
  }
  for (const path of [node.path, oncePath]) {
    await domain.server.says(
      new RegExp(`msg="Agent is not attested".* caller_id="${domain.id(path)}"`),
    );
  }
  assert.deepEqual(await once.program.exited, { code: 1, signal: null });
  assert.match(
    once.program.stdout,
    /level=error msg="Agent failed re-attestation; removing SVID and shutting down" error="attestation method is not re-attestable"/,
  );
  await eventually(
    async () => (await domain.agentPaths()).join() === node.path,
    'the return of the agent that can attest again',
  );
  assert.ok(domain.agent.running);

  // So it is after a restart of both.
  await domain.restartAgent();
  const again = once.run();
  await again.says(/msg="Failed to retrieve attestation result"|msg="Agent crashed"/);
  assert.deepEqual(await domain.agentPaths(), [node.path]);
});

test('purged are expired agents that can attest again, and no others', async (t) => {
  const { domain, node, oncePath } = await twoAgents(t);
  const all = [oncePath, node.path].toSorted();
  assert.equal((await domain.runServer('agent', 'purge')).stdout, 'No agents to purge.\n');

  // A negative time takes those too that have not expired.
  const dry = await domain.runServer('agent', 'purge', '-expiredFor', '-2h', '-dryRun');
  assert.match(dry.stdout, /^Found 1 expired agent\n/);
  assert.ok(dry.stdout.includes(domain.id(node.path)), dry.stdout);
  assert.deepEqual((await domain.agentPaths()).toSorted(), all);

  await domain.agent.stop();
  const { stdout } = await domain.runServer('agent', 'purge', '-expiredFor', '-2h');
  assert.match(stdout, /^Found 1 expired agent\n\nAgents purged:\n/);
  assert.deepEqual(await domain.agentPaths(), [oncePath]);

  // The agent finds out at its next start, forgets who it was, and is back with the one after.
  const refused = domain.firstAgent.run();
  assert.deepEqual(await refused.exited, { code: 1, signal: null });
  assert.match(refused.stdout, /msg="Agent needs to re-attest: removing SVID and shutting down"/);
  await domain.startAgent();
  assert.deepEqual((await domain.agentPaths()).toSorted(), all);
});
