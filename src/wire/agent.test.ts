import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import type { Agent } from '../spiffe/agent.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { agentToProto } from './agent.ts';
import { AgentMaskSchema, AgentSchema } from './gen/spire/api/types/agent_pb.ts';
import { agentIdFromProto, memberIdFromProto, workloadIdFromProto } from './spiffe-id.ts';

const td = TrustDomain.parse('example.org');
const agent: Agent = {
  id: SpiffeId.parse('spiffe://example.org/spire/agent/x509pop/a'),
  attestationType: 'x509pop',
  serialNumber: '12345',
  expiresAt: 1_900_000_000,
  newSerialNumber: '6',
  newExpiresAt: 1_900_000_001,
  canReattest: true,
  agentVersion: '1.16.0',
  selectors: [{ type: 'x509pop', value: 'serialnumber:01' }],
};

test('an agent on the wire, through each bit of the mask', () => {
  const full = create(AgentSchema, agentToProto(agent));
  assert.equal(full.x509svidSerialNumber, '12345');
  assert.equal(full.banned, false);
  for (const { localName } of AgentMaskSchema.fields) {
    const mask = create(AgentMaskSchema, { [localName]: true });
    assert.deepEqual(
      create(AgentSchema, agentToProto(agent, mask)),
      create(AgentSchema, { id: full.id, [localName]: full[localName as keyof typeof full] }),
    );
  }
  assert.deepEqual(agentToProto(agent, create(AgentMaskSchema)), {
    id: { trustDomain: 'example.org', path: '/spire/agent/x509pop/a' },
  });
});

test('a banned agent keeps its expiry', () => {
  const { banned, x509svidSerialNumber, x509svidExpiresAt } = agentToProto({
    ...agent,
    serialNumber: '',
  });
  assert.deepEqual([banned, x509svidSerialNumber, x509svidExpiresAt], [true, '', 1_900_000_000n]);
});

for (const [read, path, message] of [
  [memberIdFromProto, '/spire/server', undefined],
  [agentIdFromProto, '/spire/agent/x', undefined],
  [workloadIdFromProto, '/x', undefined],
  [
    agentIdFromProto,
    '/x',
    '"spiffe://example.org/x" is not an agent in trust domain "example.org"; path is not in the agent namespace',
  ],
  [agentIdFromProto, '/x/', 'path cannot have a trailing slash'],
] as const) {
  test(`${read.name} of "${path}"`, () => {
    const parse = () => read({ trustDomain: 'example.org', path }, td);
    if (message === undefined) assert.equal(parse().path, path);
    else assert.throws(parse, { kind: 'invalid', message });
    assert.throws(() => read(undefined, td), { message: 'request must specify SPIFFE ID' });
    assert.throws(() => read({ trustDomain: '', path }, td), {
      message: 'trust domain is missing',
    });
  });
}
