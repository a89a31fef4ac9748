import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('a server that starts again has its keys, its entries and its agents', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const state = async () => ({
    bundle: (await domain.runServer('bundle', 'show', '-format', 'spiffe')).stdout,
    entries: (await domain.runServer('entry', 'show')).stdout,
    agents: (await domain.runServer('agent', 'list')).stdout,
  });
  const before = await state();
  const [token] = await workload.jwt(['a']);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await domain.server.stop(signal);
    await domain.startServer();
    assert.deepEqual(await state(), before);
  }
  await workload.validate(token?.svid ?? '', 'a');
  // What is issued from now on verifies against the bundle that the workload has.
  await domain.createEntry('/late', [OWN]);
  await workload.has(domain.id('/workload'), domain.id('/late'));
});

test('with keys in memory only, a server that starts again has new ones beside the old', async (t) => {
  const domain = await startTrustDomain(t, {
    serverKeyManager: 'KeyManager "memory" { plugin_data {} }',
  });
  const certificates = async () => {
    const { stdout } = await domain.runServer('bundle', 'show');
    return stdout.split(/(?<=-----END CERTIFICATE-----\n)/).filter((pem) => pem !== '');
  };
  const before = await certificates();
  assert.equal(before.length, 1);
  await domain.restartServer();
  const after = await certificates();
  assert.equal(after.length, 2);
  assert.ok(after.includes(before[0] ?? ''));

  // The agent trusts only the old authority, so that it must be told of the new one to go on.
  await domain.agent.says(
    /level=info msg="Synchronize failed, non-recoverable error" error=".*x509: certificate signed by unknown authority/,
  );
  assert.deepEqual(await domain.agent.exited, { code: 1, signal: null });
});

test('an SVID outlives the server that issued it', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const [svid] = (await workload.x509()).svids;
  await domain.restartServer();
  await domain.restartAgent();
  await workload.has(domain.id('/workload'));
  const [renewed] = (await workload.x509()).svids;
  assert.ok(svid && renewed);
  assert.notEqual(leafOf(renewed).serialNumber, leafOf(svid).serialNumber);
  assert.deepEqual(renewed.bundle, svid.bundle);
});
