import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeAuthority } from '../kit/node-certificates.ts';
import { accepts, eventually } from '../kit/programs.ts';
import { workloadOf } from '../kit/workload.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('a node’s certificate makes it an agent, with selectors for what the certificate says', async (t) => {
  const { domain, node } = await startX509popDomain(t);
  await domain.startAgent();
  assert.deepEqual(await domain.agentPaths(), [node.path]);
  const shown = await domain.runServer('agent', 'show', '-spiffeID', domain.id(node.path));
  assert.match(shown.stdout, /^Selectors\s+: x509pop:san:cluster:test$/m);

  // An alias for all nodes with that selector, and a workload below it.
  await domain.runServer(
    'entry',
    'create',
    '-node',
    '-spiffeID',
    domain.agentId,
    '-selector',
    'x509pop:san:cluster:test',
  );
  await domain.createEntry('/workload', [OWN]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
});

test('a certificate of an authority that the server does not know lets nobody in', async (t) => {
  const { domain } = await startX509popDomain(t);
  const foreign = await NodeAuthority.create(domain.folder, 'foreign-ca');
  const { attestor } = await foreign.issue('foreign-node');
  const agent = await domain.addAgent('foreign', { agentAttestor: attestor });
  const program = agent.run();
  // There is no use in trying again.
  assert.deepEqual(await program.exited, { code: 1, signal: null });
  assert.match(
    program.stdout,
    /level=error msg="Agent crashed" error=".*code = PermissionDenied desc = nodeattestor\(x509pop\): certificate verification failed: x509: certificate signed by unknown authority"/,
  );
  assert.deepEqual(await domain.agentPaths(), []);
  assert.equal(await accepts({ path: agent.socket }), false);
});

test('an agent renews its SVID by attesting again, and workloads notice nothing', async (t) => {
  // An SVID of 10 s is renewed after about 5.
  const { domain, node } = await startX509popDomain(t, { server: 'agent_ttl = "10s"' });
  await domain.startAgent();
  const serial = async () => {
    const { stdout } = await domain.runServer('agent', 'show', '-spiffeID', domain.id(node.path));
    return /^Serial number\s+: (\d+)$/m.exec(stdout)?.[1] ?? assert.fail(stdout);
  };
  const first = await serial();
  await domain.agent.says(/msg="Successfully reattested node"/);
  await eventually(async () => (await serial()) !== first, 'another serial number');
  assert.deepEqual(await domain.agentPaths(), [node.path]);
  assert.ok(domain.agent.running);
});
