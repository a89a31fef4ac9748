import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('an agent that starts again is who it was, without attesting again', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const paths = await domain.agentPaths();

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await domain.agent.stop(signal);
    await domain.startAgent();
    await domain.agent.says(/msg="SVID loaded"/);
    assert.doesNotMatch(domain.agent.stdout, /Starting node attestation/);
    assert.deepEqual(await domain.agentPaths(), paths);
    await workload.has(domain.id('/workload'));
  }
});

test('a token in the configuration of an agent that has attested does no harm', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.agent.stop();
  await domain.startAgent('-joinToken', 'spent-long-ago');
  await domain.agent.says(/msg="SVID loaded"/);
});
