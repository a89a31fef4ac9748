import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { SPIFFEIDSchema } from '../../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { agentArgument } from './agent-argument.ts';

const own = TrustDomain.parse('example.org');
const argument = (trustDomain: string, path: string) =>
  create(SPIFFEIDSchema, { trustDomain, path });

test('takes an agent of the trust domain, also under a full ID', () => {
  for (const trustDomain of ['example.org', 'spiffe://example.org/ignored']) {
    const call = testCall();
    const id = agentArgument(argument(trustDomain, '/spire/agent/a'), own, call);
    assert.equal(id.toString(), 'spiffe://example.org/spire/agent/a');
    assert.deepEqual(call.audited, { spiffe_id: 'spiffe://example.org/spire/agent/a' });
  }
});

const refusals: [why: string, id: ReturnType<typeof argument> | undefined, message: string][] = [
  ['no ID', undefined, 'request must specify SPIFFE ID'],
  ['no trust domain', argument('', '/spire/agent/a'), 'trust domain is missing'],
  ['a malformed path', argument('example.org', '/a//b'), 'path cannot contain empty segments'],
  [
    'another trust domain',
    argument('other.test', '/spire/agent/a'),
    '"spiffe://other.test/spire/agent/a" is not a member of trust domain "example.org"',
  ],
  [
    'the trust domain itself',
    argument('example.org', ''),
    '"spiffe://example.org" is not an agent in trust domain "example.org"; path is empty',
  ],
  [
    'a workload',
    argument('example.org', '/web'),
    '"spiffe://example.org/web" is not an agent in trust domain "example.org"; path is not in the agent namespace',
  ],
];
for (const [why, id, message] of refusals) {
  test(`refuses ${why}`, () => {
    const call = testCall();
    assert.throws(() => agentArgument(id, own, call), {
      kind: 'invalid',
      message: `invalid agent ID: ${message}`,
    });
    assert.deepEqual(call.audited, {});
  });
}
