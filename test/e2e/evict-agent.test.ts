import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { accepts } from '../kit/programs.ts';
import { standard } from '../kit/standard-domain.ts';
import type { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

async function storedSvid(domain: TrustDomainProcesses): Promise<unknown> {
  const path = join(domain.firstAgent.dataDirectory, 'agent-data.json');
  return (JSON.parse(await readFile(path, 'utf8')) as { svid: unknown }).svid;
}

/** SPIRE's scenario evict-agent. */
test('a banned agent ends, and cannot come back until it is evicted', async (t) => {
  const { domain, node } = await startX509popDomain(t, {
    ...standard,
    server: 'ca_ttl = "20m"\n default_x509_svid_ttl = "10m"',
  });
  await domain.startAgent();
  assert.notEqual(await storedSvid(domain), null);

  const id = domain.id(node.path);
  await domain.runServer('agent', 'ban', '-spiffeID', id);
  await domain.server.says(/msg="Agent banned"/);
  const running = domain.agent;
  assert.deepEqual(await running.exited, { code: 1, signal: null });
  assert.match(
    running.stdout,
    /msg="Agent is banned: removing SVID and shutting down" error="failed to fetch authorized entries: /,
  );
  assert.equal(await storedSvid(domain), null);
  assert.equal(await accepts({ path: domain.agentSocket }), false);

  // Without an SVID it must attest, and is refused for good, so it does not try on.
  const banned = domain.firstAgent.run();
  assert.deepEqual(await banned.exited, { code: 1, signal: null });
  assert.match(
    banned.stdout,
    /level=error msg="Agent crashed" error=".*code = PermissionDenied desc = failed to attest: agent is banned"/,
  );
  const shown = await domain.runServer('agent', 'show', '-spiffeID', id);
  assert.match(shown.stdout, /^Banned\s+: true$/m);

  await domain.runServer('agent', 'evict', '-spiffeID', id);
  await domain.server.says(/msg="Agent deleted"/);
  await domain.startAgent();
  await domain.agent.says(/msg="SVID is not found. Starting node attestation"/);
  await domain.agent.says(/msg="Node attestation was successful"/);
  assert.deepEqual(await domain.agentPaths(), [node.path]);

  await domain.restartAgent();
  await domain.agent.says(/msg="Starting agent APIs"/);
  assert.doesNotMatch(domain.agent.stdout, /Starting node attestation/);
});
