import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchAs } from '../kit/agent-commands.ts';
import { runProgram, spireServer } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const UID = process.getuid?.() ?? 0;

/** SPIRE's scenario sync-authorized-entries: more entries than are sent whole, so that revisions are asked for first. */
test('five hundred entries and more, created at once, reach an agent', async (t) => {
  const domain = await startTrustDomain(t, { name: 'domain.test' });
  const entries = Array.from({ length: 511 }, (_, n) => ({
    parent_id: domain.agentId,
    spiffe_id: domain.id(`/workload${n + 1}`),
    selectors: [{ type: 'unix', value: `uid:${100_000 + n}` }],
  }));
  const created = await runProgram(
    [spireServer, 'entry', 'create', '-data', '-', '-socketPath', domain.serverSocket],
    { input: JSON.stringify({ entries }) },
  );
  assert.equal(created.code, 0, created.stderr);
  await domain.createEntry('/theworkload', [`unix:uid:${UID}`]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/theworkload'));
  assert.match(await fetchAs(UID, domain.firstAgent, 'x509'), /^SPIFFE ID:\s+\S+\/theworkload$/m);
  // The agent's alias is an entry too.
  const { stdout } = await domain.runServer('entry', 'count');
  assert.match(stdout, /\b513\b/);
});
