import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustDomain } from './trust-domain.ts';

const TD_CHAR =
  'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores';
const PATH_CHAR =
  'path segment characters are limited to letters, numbers, dots, dashes, and underscores';

for (const text of ['trustdomain', 'spiffe://trustdomain', 'spiffe://trustdomain/path']) {
  test(`a trust domain from "${text}"`, () => {
    const trustDomain = TrustDomain.parse(text);
    assert.equal(trustDomain.name, 'trustdomain');
    assert.equal(trustDomain.toString(), 'trustdomain');
    assert.equal(trustDomain.idString, 'spiffe://trustdomain');
    assert.equal(JSON.stringify({ trustDomain }), '{"trustDomain":"trustdomain"}');
  });
}

const refused: [text: string, message: string][] = [
  ['', 'trust domain is missing'],
  ['spiffe:/trustdomain/path', 'scheme is missing or invalid'],
  ['spiffe://', 'trust domain is missing'],
  ['spiffe:///path', 'trust domain is missing'],
  ['spiffe://trustdomain/', 'path cannot have a trailing slash'],
  ['spiffe://trustdomain/path/', 'path cannot have a trailing slash'],
  ['spiffe://%F0%9F%A4%AF/path', TD_CHAR],
  ['spiffe://trustdomain/%F0%9F%A4%AF', PATH_CHAR],
  ['BAD', TD_CHAR],
];
for (const [text, message] of refused) {
  test(`no trust domain from "${text}"`, () => {
    assert.throws(() => TrustDomain.parse(text), { kind: 'invalid', message });
  });
}

test('ID-6: a bare name with any code point from 0 to 255', () => {
  for (let code = 0; code < 256; code++) {
    const name = `trustdomain${String.fromCodePoint(code)}`;
    if (/^[a-z0-9._-]+$/.test(name)) assert.equal(TrustDomain.parse(name).name, name);
    else assert.throws(() => TrustDomain.parse(name), { message: TD_CHAR }, `code point ${code}`);
  }
});

test('trust domains are equal by name', () => {
  const a = TrustDomain.parse('a.test');
  assert.equal(a.equals(TrustDomain.parse('spiffe://a.test/x')), true);
  assert.equal(a.equals(TrustDomain.parse('b.test')), false);
});
