import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { accepts, eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('a socket that is removed under a running agent comes back', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const before = workloadOf(t, domain.agentSocket);
  await before.has(domain.id('/workload'));
  using watched = before.watchX509();
  await watched.until(() => true, 'the first update');

  await rm(domain.agentSocket);
  await domain.agent.says(/level=warning msg="The socket was removed: listening anew"/);
  await eventually(() => accepts({ path: domain.agentSocket }), 'the socket');
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  assert.ok(watched.isOpen, 'who was connected stays so');
});

test('a data directory that is removed under a running agent comes back, and the agent with it', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const directory = domain.firstAgent.dataDirectory;
  await rm(directory, { recursive: true });
  await domain.agent.says(/level=warning msg="The data directory was gone/);
  await domain.agent.says(/msg="Successfully rotated agent SVID"/);
  assert.deepEqual((await readdir(directory)).sort(), ['agent-data.json', 'keys.json']);
  const [before] = await domain.agentPaths();
  await domain.restartAgent();
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  assert.deepEqual(await domain.agentPaths(), [before]);
});

test('an agent whose server was set up anew starts anew with it, if it may', async (t) => {
  const { domain } = await startX509popDomain(t, {
    agent: 'rebootstrap_mode = "always" rebootstrap_delay = "1s"',
  });
  await domain.startAgent();
  await domain.server.stop();
  await rm(domain.path('server'), { recursive: true });
  await domain.startServer();
  await domain.writeBundle();
  await domain.createEntry('/workload', [OWN]);

  assert.deepEqual(await domain.agent.exited, { code: 1, signal: null });
  await domain.agent.says(
    /level=warning msg="Trust Bundle and Server don't agree, rebootstrapping"/,
  );
  await domain.agent.says(/msg="Agent crashed" error="shutting down for rebootstrapping"/);
  await domain.startAgent();
  await domain.agent.says(/msg="Node attestation was successful"/);
  assert.equal((await domain.agentPaths()).length, 1);
});

test('kept on disk, the SVIDs of workloads outlive a restart while the server is away', async (t) => {
  const domain = await startTrustDomain(t);
  const config = await readFile(domain.firstAgent.configFile, 'utf8');
  await writeFile(
    domain.firstAgent.configFile,
    config.replace('experimental {', 'experimental { keep_svids_on_disk = true '),
  );
  await domain.createEntry('/workload', [OWN]);
  await domain.restartAgent();
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  const file = join(domain.firstAgent.dataDirectory, 'kept-svids');
  await domain.agent.stop();
  const kept = await readFile(file);
  assert.ok(!kept.includes('workload'), 'it says nothing to who reads it');

  await domain.server.stop();
  await domain.startAgent();
  const workload = workloadOf(t, domain.agentSocket);
  assert.deepEqual(await workload.ids(), [domain.id('/workload')]);
  await domain.agent.says(
    /level=warning msg="The server cannot be reached: serving the SVIDs that were kept on disk"/,
  );

  await domain.startServer();
  await domain.createEntry('/late', [OWN]);
  await workload.has(domain.id('/workload'), domain.id('/late'));
});
