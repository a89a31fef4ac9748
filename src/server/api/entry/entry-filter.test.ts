import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { ListEntriesRequest_FilterSchema } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { entryFilterFromProto } from './entry-filter.ts';

const trustDomain = TrustDomain.parse('example.org');
const selector = { type: 'unix', value: 'uid:1000' };
type Filter = Init<typeof ListEntriesRequest_FilterSchema>;

function parse(filter: Filter | undefined) {
  const call = testCall();
  const proto = filter && create(ListEntriesRequest_FilterSchema, filter);
  return {
    call,
    parsed: () => entryFilterFromProto(proto, trustDomain, 'failed to list entries', call),
  };
}

test('no filter lets everything through', () => {
  assert.deepEqual(parse(undefined).parsed(), {});
});

test('all conditions become values of the domain', () => {
  const { parsed, call } = parse({
    byParentId: { trustDomain: 'example.org', path: '/spire/agent/a' },
    bySpiffeId: { trustDomain: 'example.org', path: '/web' },
    bySelectors: { selectors: [selector, { type: 'unix', value: 'gid:1' }], match: 2 },
    byFederatesWith: { trustDomains: ['spiffe://b.test', 'c.test'], match: 3 },
    byHint: 'internal',
    byDownstream: true,
  });
  const filter = parsed();
  assert.equal(filter.parentId?.toString(), 'spiffe://example.org/spire/agent/a');
  assert.equal(filter.spiffeId?.toString(), 'spiffe://example.org/web');
  assert.equal(filter.selectors?.match, 'superset');
  assert.deepEqual(filter.federatesWith?.set.map(String), ['b.test', 'c.test']);
  assert.equal(filter.federatesWith?.match, 'any');
  assert.equal(filter.hint, 'internal');
  assert.equal(filter.downstream, true);
  assert.deepEqual(call.audited, {
    parent_id: 'spiffe://example.org/spire/agent/a',
    spiffe_id: 'spiffe://example.org/web',
    by_selector_match: 'MATCH_SUPERSET',
    by_selectors: 'unix:uid:1000,unix:gid:1',
    federates_with_match: 'MATCH_ANY',
    federates_with: 'spiffe://b.test,c.test',
    hint: 'internal',
    downstream: true,
  });
});

const MEMBER = '"spiffe://other.test/x" is not a member of trust domain "example.org"';
const refusals: [why: string, filter: Filter, message: string][] = [
  [
    'a parent of another trust domain',
    { byParentId: { trustDomain: 'other.test', path: '/x' } },
    `malformed parent ID filter: ${MEMBER}`,
  ],
  [
    'a parent without trust domain',
    { byParentId: {} },
    'malformed parent ID filter: trust domain is missing',
  ],
  [
    'a SPIFFE ID of another trust domain',
    { bySpiffeId: { trustDomain: 'other.test', path: '/x' } },
    `malformed SPIFFE ID filter: ${MEMBER}`,
  ],
  [
    'a SPIFFE ID that is reserved',
    { bySpiffeId: { trustDomain: 'example.org', path: '/spire/x' } },
    'malformed SPIFFE ID filter: "spiffe://example.org/spire/x" is not a workload in trust domain "example.org"; path is in the reserved namespace',
  ],
  ['no selectors', { bySelectors: {} }, 'malformed selectors filter: empty selector set'],
  [
    'a selector without type',
    { bySelectors: { selectors: [{ value: 'v' }] } },
    'malformed selectors filter: missing selector type',
  ],
  [
    'a selector type with a colon',
    { bySelectors: { selectors: [{ type: 'a:b', value: 'v' }] } },
    "malformed selectors filter: selector type contains ':'",
  ],
  [
    'a selector without value',
    { bySelectors: { selectors: [{ type: 'unix' }] } },
    'malformed selectors filter: missing selector value',
  ],
  [
    'no trust domains',
    { byFederatesWith: {} },
    'malformed federates with filter: empty trust domain set',
  ],
  [
    'a malformed trust domain',
    { byFederatesWith: { trustDomains: ['UPPER'] } },
    'malformed federates with filter: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    'all of it, naming the parent first',
    { byParentId: {}, bySpiffeId: {}, bySelectors: {}, byFederatesWith: {} },
    'malformed parent ID filter: trust domain is missing',
  ],
];
for (const [why, filter, message] of refusals) {
  test(`refuses ${why}`, () => {
    assert.throws(parse(filter).parsed, { kind: 'invalid', message });
  });
}

test('a malformed ID is not audited, the rest is', () => {
  const { parsed, call } = parse({ bySpiffeId: {}, byHint: 'h' });
  assert.throws(parsed);
  assert.deepEqual(call.audited, { hint: 'h' });
});

const unknownMatches: [filter: Filter, message: string][] = [
  [
    { bySelectors: { selectors: [selector], match: 9 as never } },
    'failed to list entries: unhandled selectors match behavior',
  ],
  [
    { byFederatesWith: { trustDomains: ['b.test'], match: 9 as never } },
    'failed to list entries: unhandled federates with match behavior',
  ],
];
for (const [filter, message] of unknownMatches) {
  test(`an unknown match number is a failure: ${message}`, () => {
    const { parsed, call } = parse(filter);
    assert.throws(parsed, { kind: 'internal', message });
    assert.ok(Object.values(call.audited).includes('9'));
  });
}
