import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('SVIDs are renewed on open streams and in the cache, each before the last one ends', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/short', [OWN], '-x509SVIDTTL', '6', '-jwtSVIDTTL', '6');
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/short'));
  using watched = workload.watchX509();
  const tokens = new Set<string>();
  await eventually(async () => {
    const [token] = await workload.jwt(['a']);
    assert.ok(token);
    tokens.add(token.svid);
    // Whatever is handed out is good.
    await workload.validate(token.svid, 'a');
    const serials = new Set(
      watched.messages.map(({ svids: [svid] }) => svid && leafOf(svid).serialNumber),
    );
    return serials.size >= 3 && tokens.size >= 2;
  }, 'three X509-SVIDs on one stream, and two JWT-SVIDs');
  assert.ok(watched.isOpen);

  const leaves = watched.messages.flatMap(({ svids }) => svids.map(leafOf));
  for (const [index, leaf] of leaves.entries()) {
    const next = leaves[index + 1];
    if (next) assert.ok(next.notBefore <= leaf.notAfter, 'a gap between two SVIDs');
  }
  const keys = new Set(leaves.map(({ spki }) => Buffer.from(spki).toString('hex')));
  assert.equal(keys.size, new Set(leaves.map(({ serialNumber }) => serialNumber)).size);
});

test('an agent that cannot attest again renews its SVID, and is the same agent', async (t) => {
  const domain = await startTrustDomain(t, { server: 'agent_ttl = "10s"' });
  const [path = ''] = await domain.agentPaths();
  const serial = async () => {
    const { stdout } = await domain.runServer('agent', 'show', '-spiffeID', domain.id(path));
    return /^Serial number\s+: (\d+)$/m.exec(stdout)?.[1] ?? assert.fail(stdout);
  };
  const first = await serial();
  await domain.agent.says(/msg="Successfully rotated agent SVID"/);
  // The server takes the new one for current once it has been used.
  await eventually(async () => (await serial()) !== first, 'another serial number');
  assert.deepEqual(await domain.agentPaths(), [path]);

  await domain.restartAgent();
  await domain.agent.says(/msg="SVID loaded"/);
});
