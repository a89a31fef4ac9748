import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAgentId, checkMember, checkWorkloadId } from './id-rules.ts';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

const td = TrustDomain.parse('example.org');

const agent = 'an agent in trust domain "example.org"';
const workload = 'a workload in trust domain "example.org"';
const member = 'a member of trust domain "example.org"';
const namespace = 'path is not in the agent namespace';
const reserved = 'path is in the reserved namespace';

const cases: [check: typeof checkMember, path: string, refusal?: string][] = [
  [checkMember, '/x'],
  [checkMember, '/spire/server'],
  [checkMember, '', `${member}; path is empty`],
  [checkAgentId, '/spire/agent/x509pop/a'],
  [checkAgentId, '', `${agent}; path is empty`],
  [checkAgentId, '/spire/agent', `${agent}; ${namespace}`],
  [checkAgentId, '/spire/agents/a', `${agent}; ${namespace}`],
  [checkAgentId, '/web', `${agent}; ${namespace}`],
  [checkWorkloadId, '/web'],
  [checkWorkloadId, '/spirex'],
  [checkWorkloadId, '', `${workload}; path is empty`],
  [checkWorkloadId, '/spire', `${workload}; ${reserved}`],
  [checkWorkloadId, '/spire/agent/x', `${workload}; ${reserved}`],
];
for (const [check, path, refusal] of cases) {
  test(`${check.name} of "${path}"`, () => {
    const id = SpiffeId.of(td, path);
    if (refusal === undefined) check(id, td);
    else {
      const message = `"spiffe://example.org${path}" is not ${refusal}`;
      assert.throws(() => check(id, td), { kind: 'invalid', message });
    }
  });
}

for (const check of [checkMember, checkAgentId, checkWorkloadId]) {
  test(`${check.name} refuses any ID of another trust domain in the same words`, () => {
    for (const text of ['spiffe://other.org', 'spiffe://other.org/spire/agent/x']) {
      const message = `"${text}" is not ${member}`;
      assert.throws(() => check(SpiffeId.parse(text), td), { kind: 'invalid', message });
    }
  });
}
