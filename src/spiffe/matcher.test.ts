import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Matcher, matchAny, matchId, matchMemberOf, matchOneOf } from './matcher.ts';
import { SpiffeId } from './spiffe-id.ts';

const foo = SpiffeId.parse('spiffe://foo.test');
const fooA = SpiffeId.parse('spiffe://foo.test/A');
const fooB = SpiffeId.parse('spiffe://foo.test/B');
const bar = SpiffeId.parse('spiffe://bar.test/A');

const cases: [why: string, matcher: Matcher, actual: SpiffeId | undefined, refusal?: string][] = [
  ['any ID', matchAny, fooA],
  ['no ID is any ID too', matchAny, undefined],
  ['that ID', matchId(fooA), fooA],
  ['another ID', matchId(fooA), fooB, 'unexpected ID "spiffe://foo.test/B"'],
  ['the trust domain is not its member', matchId(foo), fooA, 'unexpected ID "spiffe://foo.test/A"'],
  ['an ID where none is', matchId(fooA), undefined, 'unexpected ID ""'],
  ['no ID where none is', matchId(undefined), undefined],
  ['no ID where one is', matchId(undefined), fooA, 'unexpected ID "spiffe://foo.test/A"'],
  ['one of two', matchOneOf([fooA, fooB]), fooB],
  ['none of two', matchOneOf([fooA, fooB]), bar, 'unexpected ID "spiffe://bar.test/A"'],
  ['one of none', matchOneOf([]), fooA, 'unexpected ID "spiffe://foo.test/A"'],
  ['one of two, no ID', matchOneOf([fooA, fooB]), undefined, 'unexpected ID ""'],
  ['a member', matchMemberOf(foo.trustDomain), fooA],
  ['no member', matchMemberOf(foo.trustDomain), bar, 'unexpected trust domain "bar.test"'],
  ['a member, no ID', matchMemberOf(foo.trustDomain), undefined, 'unexpected trust domain ""'],
  ['no trust domain, no ID', matchMemberOf(undefined), undefined],
  ['no trust domain', matchMemberOf(undefined), bar, 'unexpected trust domain "bar.test"'],
];
for (const [why, matcher, actual, message] of cases) {
  test(`matching ${why}`, () => {
    if (message === undefined) matcher(actual);
    else assert.throws(() => matcher(actual), { kind: 'denied', message });
  });
}
