import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { appendAuthorities } from './append-authorities.ts';

const trustDomain = TrustDomain.parse('example.org');
const root = (byte: number, tainted = false) => ({ der: Uint8Array.of(byte), tainted });
const key = (keyId: string, { expiresAt = 100, publicKey = Uint8Array.of(1) } = {}) => ({
  publicKey,
  keyId,
  expiresAt,
  tainted: false,
});
const stored: Bundle = {
  ...emptyBundle(trustDomain),
  x509Authorities: [root(1)],
  jwtAuthorities: [key('a')],
  refreshHintSeconds: 7,
  sequenceNumber: 4n,
};

test('what the bundle lacks is added after what it has, and the sequence number grows by one', () => {
  const added = { x509Authorities: [root(1), root(3), root(2)], jwtAuthorities: [key('b')] };
  assert.deepEqual(appendAuthorities(stored, trustDomain, added), {
    ...stored,
    x509Authorities: [root(1), root(3), root(2)],
    jwtAuthorities: [key('a'), key('b')],
    sequenceNumber: 5n,
  });
});

test('a bundle made by an append keeps sequence number 0', () => {
  assert.deepEqual(appendAuthorities(undefined, trustDomain, { witAuthorities: [key('w')] }), {
    ...emptyBundle(trustDomain),
    witAuthorities: [key('w')],
  });
});

test('what is there already changes nothing', () => {
  const added = { x509Authorities: [root(1)], jwtAuthorities: [key('a')] };
  assert.equal(appendAuthorities(stored, trustDomain, added), undefined);
});

for (const [what, other] of [
  ['its key', key('a', { publicKey: Uint8Array.of(2) })],
  ['its end', key('a', { expiresAt: 101 })],
  ['its key ID', key('b')],
  ['its taint', { ...key('a'), tainted: true }],
] as const) {
  test(`a key that differs in ${what} is another one`, () => {
    const appended = appendAuthorities(stored, trustDomain, { jwtAuthorities: [other] });
    assert.deepEqual(appended?.jwtAuthorities, [key('a'), other]);
  });
}

test('a certificate that differs in its taint is another one', () => {
  const appended = appendAuthorities(stored, trustDomain, { x509Authorities: [root(1, true)] });
  assert.deepEqual(appended?.x509Authorities, [root(1), root(1, true)]);
});

test('what is given twice is added once', () => {
  const added = { x509Authorities: [root(2), root(2)] };
  assert.deepEqual(appendAuthorities(stored, trustDomain, added)?.x509Authorities, [
    root(1),
    root(2),
  ]);
});
