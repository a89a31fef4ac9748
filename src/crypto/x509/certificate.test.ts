import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { leafOf, NOW, rootAuthority } from '../../../test/kit/certificates.ts';
import { sharedKey } from '../../../test/kit/keys.ts';
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
  time,
} from '../der/writer.ts';
import { subjectKeyId } from '../keys.ts';
import { readPem } from '../pem.ts';
import {
  buildCertificate,
  type CertificateTemplate,
  extendedKeyUsages,
  randomSerialNumber,
  tbsCertificate,
} from './build-certificate.ts';
import {
  type Certificate,
  MAX_CERTIFICATE_BYTES,
  parseCertificate,
  parseCertificates,
} from './certificate.ts';
import { nameDer, nameText } from './name.ts';

const fixture = async (file: string): Promise<Certificate> => {
  const pem = await readFile(new URL(`../../../test/data/svid/${file}`, import.meta.url));
  return parseCertificate(readPem(pem)[0]?.der ?? new Uint8Array());
};

test('an X509-SVID of the reference is read', async () => {
  const svid = await fixture('svid.0.pem');
  assert.deepEqual(
    { ...svid, der: 0, tbs: 0, extensions: 0, publicKey: svid.publicKey?.kind, signature: 0 },
    {
      der: 0,
      tbs: 0,
      version: 3,
      serialNumber: 0xa5775d8c9e547b14eacf4ef39ad12a86n,
      issuer: nameDer([
        ['C', 'US'],
        ['O', 'GOLDEN'],
        ['CN', 'golden'],
        ['SERIALNUMBER', '93154849775802911806075463555975582928'],
      ]),
      subject: nameDer([
        ['C', 'US'],
        ['O', 'SPIRE'],
        ['CN', 'web.golden.test'],
      ]),
      notBefore: Date.parse('2026-11-23T23:45:02Z') / 1000,
      notAfter: Date.parse('2036-11-20T23:45:12Z') / 1000,
      spki: svid.spki,
      publicKey: 'ec-p256',
      keyUsage: new Set(['digitalSignature', 'keyEncipherment', 'keyAgreement']),
      extendedKeyUsage: [extendedKeyUsages.serverAuth, extendedKeyUsages.clientAuth],
      basicConstraints: { ca: false },
      subjectKeyId: Uint8Array.from(Buffer.from('d232a1ecde6ad3e798f624aaf2228284237d6b5e', 'hex')),
      authorityKeyId: Uint8Array.from(
        Buffer.from('f332a694d861b73bd65985b5d102e51461fde84a', 'hex'),
      ),
      dnsNames: ['web.golden.test', 'www.golden.test'],
      uris: ['spiffe://golden.test/web'],
      emailAddresses: [],
      ipAddresses: [],
      extensions: 0,
      unhandledCriticalExtensions: [],
      signatureAlgorithm: sequence(oid('1.2.840.10045.4.3.2')),
      signature: 0,
    },
  );
});

/** What the reference was told to write, as far as a certificate says it. */
const templateOf = (certificate: Certificate): CertificateTemplate => ({
  ...certificate,
  publicKey: certificate.spki,
  keyUsage: [...(certificate.keyUsage ?? [])],
});

for (const file of ['svid.0.pem', 'svid.pem', 'bundle.0.pem']) {
  test(`the same template gives the bytes that the reference signed: ${file}`, async () => {
    const certificate = await fixture(file);
    assert.deepEqual(
      tbsCertificate(templateOf(certificate), certificate.signatureAlgorithm),
      certificate.tbs,
    );
  });
}

test('a certificate of OpenSSL with its own order of extensions is read', async () => {
  const root = await fixture('federated_bundle.0.0.pem');
  assert.deepEqual(root.uris, ['spiffe://b.test']);
  assert.deepEqual(root.basicConstraints, { ca: true });
  assert.deepEqual(root.subjectKeyId, root.authorityKeyId);
  assert.equal(nameText(root.subject), 'O=B');
});

test('certificates read as they were written, and as Node reads them', async () => {
  const [ca, key] = [await sharedKey('ec-p384'), await sharedKey('rsa-2048')];
  const usage = fc.constantFrom('digitalSignature', 'keyCertSign', 'cRLSign', 'decipherOnly');
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/);
  const template = fc.record({
    serialNumber: fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }),
    issuer: fc.constant(nameDer([['CN', 'issuer']])),
    subject: fc.constantFrom(nameDer([]), nameDer([['CN', 'subject']])),
    notBefore: fc.integer({ min: 0, max: 2 ** 31 }),
    notAfter: fc.integer({ min: 2 ** 31, max: 2 ** 32 }),
    publicKey: fc.constantFrom(ca.publicKey.spki, key.publicKey.spki),
    keyUsage: fc.uniqueArray(usage),
    extendedKeyUsage: fc.subarray(Object.values(extendedKeyUsages)),
    basicConstraints: fc.option(
      fc.oneof(
        fc.boolean().map((ca) => ({ ca })),
        fc.nat(200).map((pathLength) => ({ ca: true, pathLength })),
      ),
      { nil: undefined },
    ),
    subjectKeyId: fc.option(fc.uint8Array({ minLength: 1, maxLength: 32 }), { nil: undefined }),
    authorityKeyId: fc.option(fc.uint8Array({ minLength: 1, maxLength: 32 }), { nil: undefined }),
    dnsNames: fc.array(label),
    uris: fc.array(label.map((path) => `spiffe://example.org/${path}`)),
  });
  await fc.assert(
    fc.asyncProperty(template, async (content) => {
      const read = parseCertificate(await buildCertificate(content, ca));
      const { keyUsage, extendedKeyUsage, publicKey, ...plain } = content;
      for (const [name, value] of Object.entries(plain)) {
        assert.deepEqual(read[name as keyof Certificate], value, name);
      }
      assert.deepEqual(read.spki, publicKey);
      assert.deepEqual(new Set(read.keyUsage), new Set(keyUsage));
      assert.deepEqual(read.extendedKeyUsage ?? [], extendedKeyUsage);
      assert.deepEqual(tbsCertificate(templateOf(read), read.signatureAlgorithm), read.tbs);
      const node = new X509Certificate(read.der);
      assert.equal(BigInt(`0x${node.serialNumber}`), content.serialNumber);
      assert.equal(node.validFromDate.getTime() / 1000, content.notBefore);
      assert.equal(node.validToDate.getTime() / 1000, content.notAfter);
      // OpenSSL's answer takes the key usage in, if there is one.
      const maySign = keyUsage.length === 0 || keyUsage.includes('keyCertSign');
      assert.equal(node.ca, maySign && (content.basicConstraints?.ca ?? false));
      const names = [
        ...content.dnsNames.map((name) => `DNS:${name}`),
        ...content.uris.map((uri) => `URI:${uri}`),
      ];
      assert.equal(node.subjectAltName, names.length === 0 ? undefined : names.join(', '));
    }),
    { numRuns: 60 },
  );
});

test('certificates one after another are read one by one', async () => {
  const ders = [await fixture('svid.0.pem'), await fixture('bundle.0.pem')].map(({ der }) => der);
  assert.deepEqual(
    parseCertificates(join(ders)).map(({ der }) => der),
    ders,
  );
  assert.deepEqual(parseCertificates(new Uint8Array()), []);
  assert.throws(() => parseCertificates(join([...ders, Uint8Array.of(0x30)])), {
    kind: 'invalid',
    message: 'x509: malformed certificate: asn1: syntax error: truncated tag or length',
  });
});

test('a certificate is its own copy', async () => {
  const bytes = Buffer.from((await fixture('svid.0.pem')).der);
  const certificate = parseCertificate(bytes);
  bytes.fill(0);
  assert.deepEqual(certificate.tbs, (await fixture('svid.0.pem')).tbs);
});

// A certificate by hand, with a member replaced.

const key = await sharedKey('ec-p256');
const ECDSA = sequence(oid('1.2.840.10045.4.3.2'));
const RSA = sequence(oid('1.2.840.113549.1.1.11'), nullValue);
const members = {
  version: explicit(0, integer(2)),
  serial: integer(1),
  algorithm: ECDSA,
  issuer: nameDer([['CN', 'i']]),
  validity: sequence(time(NOW), time(NOW)),
  subject: nameDer([['CN', 's']]),
  spki: key.publicKey.spki,
} satisfies Record<string, DerPart>;
const extensionsOf = (...extensions: Uint8Array[]): Uint8Array =>
  explicit(3, sequence(...extensions));
const extension = (id: string, value: Uint8Array, ...critical: Uint8Array[]): Uint8Array =>
  sequence(oid(id), ...critical, octetString(value));
const certificate = (
  changes: { [Member in keyof typeof members]?: DerPart } & { rest?: readonly Uint8Array[] } = {},
): Uint8Array => {
  const { rest = [], ...replaced } = changes;
  const tbs = sequence(...Object.values({ ...members, ...replaced }), ...rest);
  return sequence(tbs, ECDSA, bitString(Uint8Array.of(0)));
};
const withExtensions = (...extensions: Uint8Array[]): Uint8Array =>
  certificate({ rest: [extensionsOf(...extensions)] });

const SAN = '2.5.29.17';
const BASIC = '2.5.29.19';

test('a certificate without extensions is read', () => {
  const read = parseCertificate(certificate());
  assert.deepEqual(read.extensions, []);
  assert.equal(parseCertificate(certificate({ version: undefined })).version, 1);
  assert.equal(parseCertificate(certificate({ version: explicit(0, integer(1)) })).version, 2);
});

for (const [what, der, check] of [
  [
    'a serial number of zero, as old roots have it',
    certificate({ serial: integer(0) }),
    (read) => read.serialNumber === 0n,
  ],
  [
    'critical and cA written as FALSE, as some authorities do',
    withExtensions(extension(BASIC, sequence(boolean(false)), boolean(false))),
    (read) => read.basicConstraints?.ca === false,
  ],
  [
    'unique identifiers of version 2',
    certificate({ rest: [implicit(1, Uint8Array.of(0, 1)), implicit(2, Uint8Array.of(0, 1))] }),
    (read) => read.extensions.length === 0,
  ],
  [
    'a key of another kind',
    certificate({ spki: sequence(sequence(oid('1.3.101.112')), bitString(new Uint8Array(32))) }),
    (read) => read.publicKey === undefined,
  ],
  [
    'an unknown critical extension',
    withExtensions(extension('1.2.3', nullValue, boolean(true)), extension('1.2.4', nullValue)),
    (read) => read.unhandledCriticalExtensions.join() === '1.2.3',
  ],
  [
    'critical certificate policies',
    withExtensions(extension('2.5.29.32', sequence(), boolean(true))),
    (read) => read.unhandledCriticalExtensions.length === 0,
  ],
  [
    'critical names of kinds that we do not know',
    withExtensions(extension(SAN, sequence(implicit(8, Uint8Array.of(1))), boolean(true))),
    (read) => read.unhandledCriticalExtensions.join() === SAN,
  ],
  [
    'names of all kinds',
    withExtensions(
      extension(
        SAN,
        sequence(
          implicit(6, Buffer.from('spiffe://a/b')),
          implicit(2, Buffer.from('c')),
          implicit(1, Buffer.from('d@e')),
          implicit(7, Uint8Array.of(127, 0, 0, 1)),
          explicit(0, oid('1.2.3')),
        ),
      ),
    ),
    (read) =>
      read.uris.join() + read.dnsNames.join() + read.emailAddresses.join() === 'spiffe://a/bcd@e' &&
      read.ipAddresses.length === 1,
  ],
  [
    'an authority named by issuer and serial',
    withExtensions(
      extension(
        '2.5.29.35',
        sequence(explicit(1, explicit(4, sequence())), implicit(2, Uint8Array.of(1))),
      ),
    ),
    (read) => read.authorityKeyId === undefined,
  ],
] as [string, Uint8Array, (read: Certificate) => boolean][]) {
  test(`a certificate is read with ${what}`, () => {
    assert.ok(check(parseCertificate(der)));
  });
}

const good = certificate();
const MALFORMED = 'x509: malformed certificate: asn1: ';

for (const [why, der, text] of [
  ['that is empty', new Uint8Array(), `${MALFORMED}syntax error: sequence truncated`],
  [
    'that is not DER',
    Buffer.from('-----BEGIN'),
    /^x509: malformed certificate: asn1: structure error/,
  ],
  ['cut short', good.subarray(0, 100), `${MALFORMED}syntax error: data truncated`],
  ['followed by a byte', join([good, Uint8Array.of(0)]), 'x509: trailing data'],
  [
    'of indefinite length',
    Uint8Array.of(0x30, 0x80, ...good.subarray(4), 0, 0),
    `${MALFORMED}syntax error: indefinite length found (not DER)`,
  ],
  [
    'larger than 128 kB',
    sequence(new Uint8Array(MAX_CERTIFICATE_BYTES)),
    'x509: certificate too large',
  ],
  ['of version 4', certificate({ version: explicit(0, integer(3)) }), 'x509: invalid version'],
  [
    'of a negative version',
    certificate({ version: explicit(0, integer(-1)) }),
    `${MALFORMED}structure error: integer out of range`,
  ],
  [
    'with a negative serial number',
    certificate({ serial: integer(-1) }),
    'x509: negative serial number',
  ],
  [
    'with an endless serial number',
    certificate({ serial: integer(2n ** 520n) }),
    'x509: serial number too large',
  ],
  [
    'with a serial number that is not minimal',
    certificate({ serial: Uint8Array.of(2, 2, 0, 1) }),
    `${MALFORMED}structure error: integer not minimally-encoded`,
  ],
  [
    'without a serial number',
    certificate({ serial: undefined }),
    /^x509: malformed certificate: asn1: structure error: tags don't match/,
  ],
  [
    'whose algorithms differ',
    certificate({ algorithm: RSA }),
    "x509: inner and outer signature algorithm identifiers don't match",
  ],
  [
    'with a time that is none',
    certificate({ validity: sequence(time(NOW), octetString(Uint8Array.of())) }),
    /tags don't match/,
  ],
  [
    'with a third time',
    certificate({ validity: sequence(time(NOW), time(NOW), time(NOW)) }),
    `${MALFORMED}syntax error: trailing data`,
  ],
  ['with an empty RDN', certificate({ subject: sequence(Uint8Array.of(0x31, 0)) }), /empty RDN/],
  [
    'with a point that is not on its curve',
    certificate({ spki: key.publicKey.spki.map((byte, at) => (at === 80 ? byte ^ 1 : byte)) }),
    'x509: invalid elliptic curve public key',
  ],
  [
    'of version 1 with extensions',
    certificate({
      version: undefined,
      rest: [extensionsOf(extension(BASIC, sequence(boolean(true))))],
    }),
    `${MALFORMED}syntax error: trailing data`,
  ],
  [
    'with an extension twice',
    withExtensions(extension(BASIC, sequence()), extension(BASIC, sequence(boolean(true)))),
    'x509: certificate contains duplicate extension with OID "2.5.29.19"',
  ],
  [
    'with an unknown extension twice',
    withExtensions(extension('1.2.3', nullValue), extension('1.2.3', nullValue)),
    'x509: certificate contains duplicate extension with OID "1.2.3"',
  ],
  [
    'with an extension of nothing',
    withExtensions(sequence(oid(BASIC))),
    `${MALFORMED}syntax error: sequence truncated`,
  ],
  [
    'with a BER boolean',
    withExtensions(extension(BASIC, sequence(), Uint8Array.of(1, 1, 1))),
    `${MALFORMED}syntax error: invalid boolean`,
  ],
  [
    'with what follows the extensions',
    certificate({ rest: [extensionsOf(), nullValue] }),
    `${MALFORMED}syntax error: trailing data`,
  ],
  [
    'with a negative path length',
    withExtensions(extension(BASIC, sequence(boolean(true), integer(-1)))),
    `${MALFORMED}structure error: integer out of range`,
  ],
  [
    'with what follows the basic constraints',
    withExtensions(extension(BASIC, join([sequence(), nullValue]))),
    `${MALFORMED}syntax error: trailing data`,
  ],
  [
    'with key usage that is no bit string',
    withExtensions(extension('2.5.29.15', integer(1))),
    /tags don't match/,
  ],
  [
    'with extended key usage for nothing',
    withExtensions(extension('2.5.29.37', sequence())),
    'x509: invalid extended key usages',
  ],
  [
    'with a DNS name that is not ASCII',
    withExtensions(extension(SAN, sequence(implicit(2, Uint8Array.of(0x80))))),
    'x509: SAN dNSName is malformed',
  ],
  [
    'with a URI that is not ASCII',
    withExtensions(extension(SAN, sequence(implicit(6, Uint8Array.of(0xff))))),
    'x509: SAN uniformResourceIdentifier is malformed',
  ],
  [
    'with an e-mail address that is not ASCII',
    withExtensions(extension(SAN, sequence(implicit(1, Uint8Array.of(0xff))))),
    'x509: SAN rfc822Name is malformed',
  ],
  [
    'with an IP address of 5 bytes',
    withExtensions(extension(SAN, sequence(implicit(7, new Uint8Array(5))))),
    'x509: cannot parse IP address of length 5',
  ],
  [
    'with name constraints of nothing',
    withExtensions(extension('2.5.29.30', sequence())),
    'x509: empty name constraints extension',
  ],
  [
    'with name constraints whose mask has holes',
    withExtensions(
      extension(
        '2.5.29.30',
        sequence(explicit(0, sequence(implicit(7, Uint8Array.of(10, 0, 0, 0, 255, 0, 255, 0))))),
      ),
    ),
    'x509: IP constraint contained an invalid address or mask',
  ],
] as [string, Uint8Array, string | RegExp][]) {
  test(`refuses a certificate ${why}`, () => {
    assert.throws(() => parseCertificate(der), { kind: 'invalid', message: text });
  });
}

test('random serial numbers are of 128 bits and above zero', () => {
  for (let i = 0; i < 100; i++) {
    const serial = randomSerialNumber();
    assert.ok(serial > 0n && serial < 2n ** 128n);
  }
});

for (const [why, changes] of [
  ['serial number 0', { serialNumber: 0n }],
  ['a negative serial number', { serialNumber: -1n }],
  ['a DNS name that is not ASCII', { dnsNames: ['zürich'] }],
  ['a URI that is not ASCII', { uris: ['spiffe://zürich'] }],
  ['a time beyond 9999', { notAfter: 253_402_300_800 }],
] as const) {
  test(`no certificate is made with ${why}`, async () => {
    const root = await rootAuthority('root');
    await assert.rejects(leafOf(root, 'spiffe://a/b', changes), { kind: 'invalid' });
  });
}

test('names are critical only beside an empty subject', async () => {
  const root = await rootAuthority('root');
  const named = await leafOf(root, 'spiffe://a/b');
  const nameless = await leafOf(root, 'spiffe://a/b', { subject: nameDer([]) });
  const isCritical = ({ extensions }: Certificate) =>
    extensions.find(({ oid }) => oid === SAN)?.critical;
  assert.deepEqual(
    [isCritical(named.certificate), isCritical(nameless.certificate)],
    [false, true],
  );
  assert.deepEqual(named.certificate.subjectKeyId, subjectKeyId(named.certificate.spki));
});
