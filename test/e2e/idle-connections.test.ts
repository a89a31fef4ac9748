import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WORKLOAD_MAXIMA } from '../../src/agent/endpoint/user-limits.ts';
import { eventually } from '../kit/programs.ts';
import { IdleConnections, openFilesLimit } from '../kit/raw-connections.ts';
import { notRoot } from '../kit/toolchain.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { Workload } from '../kit/workload.ts';

const OWN_UID = process.getuid?.() ?? 0;
const OTHER_UID = 4242;
const CONNECTIONS = 10_000;

const skip =
  notRoot ||
  (process.env['CI'] === undefined &&
    openFilesLimit() < CONNECTIONS + 500 &&
    `needs to open ${CONNECTIONS} connections at once`);

test('a user who opens ten thousand connections holds as many as are allowed, and is alone with it', {
  skip,
}, async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/own', [`unix:uid:${OWN_UID}`]);
  await domain.createEntry('/other', [`unix:uid:${OTHER_UID}`]);
  const otherSocket = await domain.socketFor(OTHER_UID);
  {
    using own = new Workload(domain.agentSocket);
    await own.has(domain.id('/own'));
  }
  using other = new Workload(otherSocket);
  await other.has(domain.id('/other'));
  using watched = other.watchX509();
  await watched.until(() => true, 'the first update');

  using idle = new IdleConnections();
  await idle.make({ path: domain.agentSocket }, CONNECTIONS);
  assert.equal(idle.failed, 0);
  await eventually(
    () => idle.open === WORKLOAD_MAXIMA.connections,
    `${WORKLOAD_MAXIMA.connections} connections; there are ${idle.open}`,
  );
  await domain.agent.says(/level=warning msg="Too many connections of one user/);

  // The other user is served as before, on new connections too.
  assert.ok(watched.isOpen);
  using another = new Workload(otherSocket);
  const started = performance.now();
  assert.deepEqual(await another.ids(), [domain.id('/other')]);
  assert.ok(performance.now() - started < 2000);

  // This one is not, until there is room again.
  using late = new Workload(domain.agentSocket);
  await assert.rejects(late.x509(), { kind: 'unavailable' });
  assert.equal(idle.open, WORKLOAD_MAXIMA.connections);
  idle.close();
  await eventually(
    () =>
      late.x509().then(
        () => true,
        () => false,
      ),
    'room for the user',
  );
  assert.ok(watched.isOpen);
});
