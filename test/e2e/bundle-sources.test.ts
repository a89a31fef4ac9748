import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** The trust domain with a second agent that learns whom to trust from the Workload API of the first. */
async function twoAgents(
  t: Parameters<typeof startTrustDomain>[0],
  address: (socket: string) => string,
) {
  const domain = await startTrustDomain(t);
  const second = await domain.addAgent('second');
  const config = await readFile(second.configFile, 'utf8');
  await writeFile(
    second.configFile,
    config.replace(
      /trust_bundle_path = .*/,
      `trust_bundle_spiffe_workload_api = "${address(domain.agentSocket)}"`,
    ),
  );
  return { domain, second };
}

test('an agent learns whom to trust from the Workload API of another', async (t) => {
  const { domain, second } = await twoAgents(t, (socket) => `unix://${socket}`);
  await domain.createEntry('/workload', [OWN]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
  const token = await domain.newToken('-spiffeID', domain.agentId);
  await second.start('-joinToken', token);
  await workloadOf(t, second.socket).has(domain.id('/workload'));
  assert.match(
    second.program.stdout,
    /msg="Fetching trust bundle from SPIFFE Workload API: unix:\/\//,
  );
  assert.match(second.program.stdout, /msg="Server attestation attempt 1\. Started /);
});

test('one that is given none is told so, and asks again', async (t) => {
  const { domain, second } = await twoAgents(t, (socket) => `unix://${socket}`);
  const token = await domain.newToken('-spiffeID', domain.agentId);
  second.run('-joinToken', token);
  await second.program.says(
    /level=warning msg="Failed to retrieve attestation result" error="unable to fetch trust bundle from SPIFFE Workload API unix:\S+: rpc error: code = PermissionDenied desc = no identity issued"/,
  );
  assert.ok(second.program.running);
});
