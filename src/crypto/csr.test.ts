import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sharedKey } from '../../test/kit/keys.ts';
import { buildCsr, parseCsr, verifyCsr } from './csr.ts';
import {
  bitString,
  boolean,
  type DerPart,
  explicit,
  implicit,
  integer,
  join,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
} from './der/writer.ts';
import { type KeyType, keyTypes } from './keys.ts';
import { nameDer } from './x509/name.ts';

const key = await sharedKey('ec-p256');
const SUBJECT = nameDer([
  ['C', 'US'],
  ['O', 'SPIRE'],
]);

test('a name that is not ASCII is refused in the words of Go', async () => {
  await assert.rejects(buildCsr({ dnsNames: ['é'], uris: [] }, key), {
    kind: 'invalid',
    message: 'x509: "é" cannot be encoded as an IA5String',
  });
});

test('requests read as they were written, and their signatures verify', async () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
  const content = fc.record({
    subject: fc.constantFrom(SUBJECT, nameDer([]), undefined),
    dnsNames: fc.array(label),
    uris: fc.array(label.map((path) => `spiffe://example.org/${path}`)),
  });
  await fc.assert(
    fc.asyncProperty(content, async ({ subject, dnsNames, uris }) => {
      const csr = parseCsr(await buildCsr({ subject, dnsNames, uris }, key));
      await verifyCsr(csr);
      assert.deepEqual(csr.subject, subject ?? nameDer([]));
      assert.deepEqual([csr.dnsNames, csr.uris], [dnsNames, uris]);
      assert.deepEqual(csr.publicKey, key.publicKey);
    }),
  );
});

for (const type of Object.keys(keyTypes) as KeyType[]) {
  test(`a key of type ${type} signs its request`, async () => {
    const own = await sharedKey(type);
    const csr = parseCsr(await buildCsr({ dnsNames: [], uris: ['spiffe://a/b'] }, own));
    await verifyCsr(csr);
    const forged = { ...csr, info: csr.info.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) };
    await assert.rejects(verifyCsr(forged), {
      kind: 'invalid',
      message:
        own.publicKey.kind === 'rsa'
          ? 'crypto/rsa: verification error'
          : 'x509: ECDSA verification failure',
    });
  });
}

test('a request without names asks for nothing, in an empty set', async () => {
  const der = await buildCsr({ dnsNames: [], uris: [] }, key);
  const { info } = parseCsr(der);
  assert.equal(Buffer.from(info.subarray(-2)).toString('hex'), 'a000');
});

// A request by hand, with a member replaced.

const ECDSA = sequence(oid('1.2.840.10045.4.3.2'));
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14');
const members = {
  version: integer(0),
  subject: SUBJECT,
  spki: key.publicKey.spki,
  attributes: explicit(0),
} satisfies Record<string, DerPart>;
const request = (changes: { [Member in keyof typeof members]?: DerPart } = {}): Uint8Array =>
  sequence(
    sequence(...Object.values({ ...members, ...changes })),
    ECDSA,
    bitString(Uint8Array.of(0)),
  );
const asking = (...extensions: Uint8Array[]): Uint8Array =>
  explicit(0, sequence(EXTENSION_REQUEST, setOf([sequence(...extensions)])));
const names = (...list: Uint8Array[]): Uint8Array =>
  sequence(oid('2.5.29.17'), octetString(sequence(...list)));

test('attributes and extensions of other kinds are skipped', () => {
  const password = sequence(oid('1.2.840.113549.1.9.7'), setOf([nameDer([])]));
  const usage = sequence(oid('2.5.29.15'), boolean(true), octetString(nullValue));
  const wanted = sequence(
    EXTENSION_REQUEST,
    setOf([sequence(usage, names(implicit(6, Buffer.from('spiffe://a/b'))))]),
  );
  const csr = parseCsr(request({ attributes: explicit(0, password, wanted) }));
  assert.deepEqual(csr.uris, ['spiffe://a/b']);
  assert.equal(csr.extensions.length, 2);
});

const good = request();

for (const [why, der, text] of [
  ['that is empty', new Uint8Array(), 'asn1: syntax error: sequence truncated'],
  ['that is a text', Buffer.from('not a csr'), /^asn1: structure error: tags don't match/],
  ['cut short', good.subarray(0, 60), 'asn1: syntax error: data truncated'],
  ['followed by a byte', join([good, Uint8Array.of(0)]), 'asn1: syntax error: trailing data'],
  [
    'larger than 128 kB',
    sequence(new Uint8Array(128 * 1024)),
    'x509: certificate request too large',
  ],
  ['of version 2', request({ version: integer(1) }), /unknown version/],
  [
    'without attributes',
    request({ attributes: undefined }),
    'asn1: syntax error: sequence truncated',
  ],
  ['without a key', request({ spki: undefined }), /tags don't match \(expected 0x30, got 0xa0\)/],
  [
    'for a key of Ed25519',
    request({ spki: sequence(sequence(oid('1.3.101.112')), bitString(new Uint8Array(32))) }),
    /^unsupported public key: use an EC key/,
  ],
  [
    'for a point that is not on its curve',
    request({ spki: key.publicKey.spki.map((byte, at) => (at === 80 ? byte ^ 1 : byte)) }),
    'x509: invalid elliptic curve public key',
  ],
  [
    'with a broken subject',
    request({ subject: sequence(Uint8Array.of(0x31, 0)) }),
    'x509: invalid RDNSequence: empty RDN',
  ],
  [
    'with an attribute twice',
    request({
      attributes: explicit(
        0,
        sequence(EXTENSION_REQUEST, setOf([sequence()])),
        sequence(EXTENSION_REQUEST, setOf([sequence()])),
      ),
    }),
    'x509: certificate request contains duplicate requested attributes',
  ],
  [
    'with two sets of extensions',
    request({
      attributes: explicit(0, sequence(EXTENSION_REQUEST, setOf([sequence(), sequence()]))),
    }),
    'asn1: syntax error: trailing data',
  ],
  [
    'with an attribute of nothing',
    request({ attributes: explicit(0, sequence(EXTENSION_REQUEST)) }),
    'asn1: syntax error: sequence truncated',
  ],
  [
    'that asks for an extension twice',
    request({ attributes: asking(names(), names()) }),
    /contains duplicate extension/,
  ],
  [
    'that asks for a name that is not ASCII',
    request({ attributes: asking(names(implicit(6, Uint8Array.of(0xff)))) }),
    'x509: SAN uniformResourceIdentifier is malformed',
  ],
] as [string, Uint8Array, string | RegExp][]) {
  test(`refuses a request ${why}`, () => {
    assert.throws(() => parseCsr(der), { kind: 'invalid', message: text });
  });
}

for (const [why, algorithm, text] of [
  ['of SHA-1', sequence(oid('1.2.840.10045.4.1')), /algorithm unimplemented/],
  ['of ECDSA with parameters', sequence(oid('1.2.840.10045.4.3.2'), nullValue), /unimplemented/],
  [
    'of RSA',
    sequence(oid('1.2.840.113549.1.1.11'), nullValue),
    /but have public key of type ec-p256/,
  ],
  ['of nothing', sequence(), /algorithm unimplemented/],
] as const) {
  test(`refuses a request with a signature ${why}`, async () => {
    const csr = parseCsr(await buildCsr({ dnsNames: [], uris: [] }, key));
    await assert.rejects(verifyCsr({ ...csr, signatureAlgorithm: algorithm }), {
      kind: 'invalid',
      message: text,
    });
  });
}
