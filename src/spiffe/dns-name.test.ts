import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domainToASCII } from 'node:url';
import fc from 'fast-check';
import { checkDnsName, checkWildcardOverlap } from './dns-name.ts';
import { decodePunycode } from './punycode.ts';

const label63 = 'a'.repeat(63);
const name253 = [label63, label63, label63, 'a'.repeat(61)].join('.');

for (const name of [
  'example.org',
  'EXAMPLE.org',
  'a_b.test',
  '1234',
  'with space',
  'p!nct.test',
  '*.example.org',
  'xn--mnchen-3ya.de',
  'a--b',
  'ab-c',
  label63,
  name253,
  `*.${name253}`,
]) {
  test(`accepts the DNS name "${name}"`, () => {
    checkDnsName(name);
  });
}

const idna = (label: string) => `idna error\nidna: invalid label "${label}"`;
const refused: [name: string, message: string][] = [
  ['münchen.de', 'name must be ascii'],
  ['*.*.org', 'too many wildcards'],
  ['**', 'too many wildcards'],
  ['a.*.org', 'wildcard must be first label'],
  ['*a.org', 'wildcard must be first label'],
  ['*', 'wildcard must be first label'],
  ['', 'empty or only whitespace'],
  [' \t', 'empty or only whitespace'],
  ['*. ', 'empty or only whitespace'],
  ['*.', 'empty or only whitespace'],
  ['example.org.', 'domain ends with dot'],
  ['a..b', idna('a..b')],
  ['.a', idna('.a')],
  ['*..a', idna('.a')],
  [`${name253}a`, idna(`${name253}a`)],
  [`${label63}a.org`, idna(`${label63}a`)],
  ['-a.org', idna('-a')],
  ['a-.org', idna('a-')],
  ['ab--c.org', idna('ab--c')],
  ['XN--mnchen-3ya.de', idna('XN--mnchen-3ya')],
  ['xn--0.org', idna('0')],
  ['xn--abc-.org', idna('abc-')],
  ['xn--.org', idna('')],
  ['xn--mnchen-psa.de', idna('mÜnchen')],
  ['xn--a.com', idna('\\u0080')],
  ['-"\\\x01.com', idna('-\\"\\\\\\x01')],
];
for (const [name, message] of refused) {
  test(`refuses the DNS name ${JSON.stringify(name)}`, () => {
    assert.throws(() => checkDnsName(name), { kind: 'invalid', message });
  });
}

test('decodes what the platform encodes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zäöüß日本語éñ]{1,12}$/u), (label) => {
      const encoded = domainToASCII(label);
      if (!encoded.startsWith('xn--')) return;
      assert.equal(decodePunycode(encoded.slice(4)), label.normalize('NFC'));
      checkDnsName(encoded);
    }),
  );
});

test('no label makes the decoder do anything but decode or refuse', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9-]{0,59}$/), (text) => {
      const decoded = decodePunycode(text);
      assert.ok(decoded === undefined || decoded.isWellFormed());
    }),
  );
});

for (const [names, overlap] of [
  [['*.example.org', 'a.example.org'], 'a.example.org'],
  [['a.example.org', '*.example.org'], 'a.example.org'],
  [['*.example.org', 'a.b.example.org'], undefined],
  [['*.example.org', 'example.org'], undefined],
  [['*.example.org', '*.example.org'], undefined],
  [['localhost', '*.localhost'], undefined],
  [['a', 'b'], undefined],
] as const) {
  test(`wildcards beside other names: ${names.join(', ')}`, () => {
    if (overlap === undefined) checkWildcardOverlap(names);
    else {
      assert.throws(() => checkWildcardOverlap(names), {
        message: `name "${overlap}" overlaps with an existing wildcard name in the list: wildcard overlap`,
      });
    }
  });
}
