import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('while the server is away the agent serves what it has, and then catches up', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  using watched = workload.watchX509();
  await watched.until(() => true, 'the first update');
  const [token] = await workload.jwt(['a']);

  await domain.server.stop();
  await domain.agent.says(/level=error msg="Synchronize failed"/);
  const [svid] = (await workload.x509()).svids;
  assert.ok(svid);
  assert.ok(leafOf(svid).notAfter > Date.now() / 1000);
  assert.deepEqual(await workload.jwt(['a']), [token]);
  await workload.validate(token?.svid ?? '', 'a');
  assert.ok(watched.isOpen);

  await domain.startServer();
  await domain.createEntry('/late', [OWN]);
  const late = domain.id('/late');
  await watched.until(
    ({ svids }) => svids.some(({ spiffeId }) => spiffeId === late),
    'the new entry on the stream that was open all the time',
  );
});
