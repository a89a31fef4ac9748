import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { ListAgentsRequest_FilterSchema } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { agentFilterFromProto } from './agent-filter.ts';

type Filter = Init<typeof ListAgentsRequest_FilterSchema>;
const selectors = [{ type: 'x509pop', value: 'cn:a' }];

function parse(filter: Filter | undefined) {
  const call = testCall();
  const proto = filter && create(ListAgentsRequest_FilterSchema, filter);
  return { call, parsed: () => agentFilterFromProto(proto, 'failed to list agents', call) };
}

test('no filter lets everything through', () => {
  assert.deepEqual(parse(undefined).parsed(), {});
});

test('all conditions become values of the domain, and audited', () => {
  const { parsed, call } = parse({
    byAttestationType: 'x509pop',
    bySelectorMatch: { selectors, match: 1 },
    byBanned: false,
    byCanReattest: true,
    byExpiresBefore: '2030-01-02 00:00:00 +0000 +00',
  });
  assert.deepEqual(parsed(), {
    attestationType: 'x509pop',
    selectors: { match: 'subset', set: selectors },
    banned: false,
    canReattest: true,
    expiresBeforeUnixSeconds: Date.UTC(2030, 0, 2) / 1000,
  });
  assert.deepEqual(call.audited, {
    node_attestor_type: 'x509pop',
    by_banned: false,
    by_can_reattest: true,
    by_selector_match: 'MATCH_SUBSET',
    by_selectors: 'x509pop:cn:a',
  });
});

test('what is left out does not filter', () => {
  const { parsed, call } = parse({ byExpiresBefore: 'some day' });
  assert.deepEqual(
    Object.values(parsed()).filter((value) => value !== undefined),
    [],
  );
  assert.deepEqual(call.audited, {});
});

const refusals: [why: string, filter: Filter, kind: string, message: string][] = [
  [
    'a selector without type',
    { bySelectorMatch: { selectors: [{ value: 'v' }] } },
    'invalid',
    'failed to parse selectors: missing selector type',
  ],
  [
    'a selector type with a colon',
    { bySelectorMatch: { selectors: [{ type: 'a:', value: 'v' }] } },
    'invalid',
    "failed to parse selectors: selector type contains ':'",
  ],
  [
    'a selector without value',
    { bySelectorMatch: { selectors: [{ type: 'a' }] } },
    'invalid',
    'failed to parse selectors: missing selector value',
  ],
  [
    'an empty selector set',
    { bySelectorMatch: {} },
    'internal',
    'failed to list agents: cannot list by empty selectors set',
  ],
  [
    'an unknown match',
    { bySelectorMatch: { selectors, match: 4 as never } },
    'internal',
    'failed to list agents: unhandled match behavior',
  ],
];
for (const [why, filter, kind, message] of refusals) {
  test(`refuses ${why}`, () => {
    assert.throws(parse(filter).parsed, { kind, message });
  });
}
