import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('an agent that starts while the server is away waits for it', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  await domain.agent.stop();
  await domain.server.stop();

  const program = domain.firstAgent.run();
  await program.says(/level=warning msg="Failed to initialize manager"/);
  assert.ok(program.running);
  await domain.startServer();
  await eventually(() => /msg="Starting agent APIs"/.test(program.stdout), 'the agent');
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
});
