import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Bundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { parseTrustBundle, type TrustBundleFormat } from './trust-bundle.ts';

const fixtures = join(import.meta.dirname, '../../../test/data/fixtures');
const golden = TrustDomain.parse('golden.test');
const parse = (format: TrustBundleFormat, content: string | Uint8Array) =>
  parseTrustBundle(golden, format, Buffer.from(content));

test("SPIRE's own bundle is understood in both formats", async () => {
  const pem = parse('pem', await readFile(join(fixtures, 'agent/bundle.pem')));
  const document = parse('spiffe', await readFile(join(fixtures, 'svid/bundle.json')));
  assert.equal(pem.trustDomain, golden);
  const texts = ({ x509Authorities }: Bundle) =>
    x509Authorities.map(({ der }) => Buffer.from(der).toString('base64'));
  assert.equal(texts(pem).length, 1);
  assert.deepEqual(texts(document).slice(0, 1), texts(pem));
});

test('text around the blocks is passed over', async () => {
  const pem = await readFile(join(fixtures, 'agent/bundle.pem'), 'utf8');
  assert.deepEqual(
    parse('pem', `# ours\n${pem}\n# the end\n`).x509Authorities,
    parse('pem', pem).x509Authorities,
  );
});

describe('refusals', () => {
  const block = (type: string, body = 'AAAA') =>
    `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;
  const cases: readonly [
    why: string,
    format: TrustBundleFormat,
    content: string,
    message: string | RegExp,
  ][] = [
    ['an empty file', 'pem', '', 'no PEM blocks'],
    ['no PEM at all', 'pem', 'hello', 'no PEM blocks'],
    [
      'a foreign block',
      'pem',
      block('PRIVATE KEY'),
      'expected block type "CERTIFICATE"; got "PRIVATE KEY"',
    ],
    [
      'a certificate that is not DER',
      'pem',
      block('CERTIFICATE'),
      /^unable to parse "CERTIFICATE" PEM block 1: /,
    ],
    ['a set without keys', 'spiffe', '{"keys":[]}', 'no certificates found in trust bundle'],
    ['no JSON', 'spiffe', 'hello', /^unable to parse SPIFFE trust bundle: /],
    [
      'a key without use',
      'spiffe',
      '{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}',
      /^unable to parse SPIFFE trust bundle: /,
    ],
  ];
  for (const [why, format, content, message] of cases) {
    test(`${format}: ${why}`, () => {
      assert.throws(() => parse(format, content), { kind: 'invalid', message });
    });
  }
});
