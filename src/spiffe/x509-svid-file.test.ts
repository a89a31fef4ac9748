import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import {
  type Changes,
  type Holder,
  intermediateAuthority,
  leafOf,
  rootAuthority,
} from '../../test/kit/certificates.ts';
import { writePem } from '../crypto/pem.ts';
import { readX509Bundle } from './x509-bundle.ts';
import { parseRawX509Svid, parseX509Svid, writeX509Svid } from './x509-svid-file.ts';

const ID = 'spiffe://example.org/workload-1';
const FILLER = 'no PEM at all\n';

const invalid = (message: string | RegExp) => ({ name: 'Fault', kind: 'invalid', message });
const certificatePem = ({ certificate }: Holder) => writePem('CERTIFICATE', certificate.der);
const keyPem = ({ key }: Holder) => writePem('PRIVATE KEY', key.toPkcs8());

describe('an X509-SVID and its key', () => {
  let root: Holder;
  let leaf: Holder;
  let intermediate: Holder;
  let below: Holder;
  before(async () => {
    root = await rootAuthority('root');
    leaf = await leafOf(root, ID, { keyUsage: ['digitalSignature'] });
    intermediate = await intermediateAuthority(root, 'intermediate');
    below = await leafOf(intermediate, ID);
  });

  const leafWith = (changes: Changes) => leafOf(root, ID, changes);

  test('one certificate and its key', () => {
    const svid = parseX509Svid(certificatePem(leaf), keyPem(leaf));
    assert.equal(svid.id.toString(), ID);
    assert.equal(svid.chain.length, 1);
    assert.deepEqual(Buffer.from(svid.privateKey), Buffer.from(leaf.key.toPkcs8()));
  });

  test('a leaf, an intermediate and a key', () => {
    const pem = certificatePem(below) + certificatePem(intermediate);
    assert.equal(parseX509Svid(pem, keyPem(below)).chain.length, 2);
    const der = Buffer.concat([below.certificate.der, intermediate.certificate.der]);
    assert.equal(parseRawX509Svid(der, below.key.toPkcs8()).chain.length, 2);
  });

  test('key and certificate in one text, either first, with filler around', () => {
    for (const text of [
      certificatePem(leaf) + keyPem(leaf),
      FILLER + keyPem(leaf) + FILLER + certificatePem(leaf),
    ]) {
      assert.equal(parseX509Svid(text, text).id.toString(), ID);
    }
  });

  test('an Ed25519 key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const { certificate } = await leafWith({ publicKey: spki });
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    assert.equal(parseRawX509Svid(certificate.der, pkcs8).id.toString(), ID);
  });

  test('is written as it was read, from PEM and to PEM', () => {
    const certificatesPem = certificatePem(below) + certificatePem(intermediate);
    const svid = parseX509Svid(certificatesPem, keyPem(below));
    assert.deepEqual(writeX509Svid(svid), { certificatesPem, privateKeyPem: keyPem(below) });
    assert.throws(
      () => writeX509Svid({ ...svid, chain: [] }),
      invalid('x509svid: no certificates to marshal'),
    );
  });

  test("SPIRE's own files", async () => {
    const folder = join(import.meta.dirname, '../../test/data/fixtures/svid');
    const [certificates, key] = await Promise.all([
      readFile(join(folder, 'svid.0.pem'), 'utf8'),
      readFile(join(folder, 'svid.0.key'), 'utf8'),
    ]);
    const svid = parseX509Svid(certificates, key);
    assert.deepEqual(writeX509Svid(svid), { certificatesPem: certificates, privateKeyPem: key });
  });

  const texts: [why: string, texts: () => [string, string], message: string | RegExp][] = [
    [
      'no certificate',
      () => [keyPem(leaf), keyPem(leaf)],
      'certificate validation failed: no certificates found',
    ],
    [
      'no key',
      () => [certificatePem(leaf), certificatePem(leaf)],
      'private key validation failed: no private key found',
    ],
    [
      'a key that is not PEM',
      () => [certificatePem(leaf), FILLER],
      'cannot parse PEM encoded private key: no PEM blocks found',
    ],
    [
      'a certificate that is not PEM',
      () => [FILLER, keyPem(leaf)],
      'cannot parse PEM encoded certificate: no PEM blocks found',
    ],
    [
      'a corrupt key',
      () => [certificatePem(leaf), writePem('PRIVATE KEY', Buffer.from('corrupt'))],
      /^x509svid: cannot parse PEM encoded private key: ./,
    ],
    [
      'a corrupt certificate',
      () => [writePem('CERTIFICATE', Buffer.from('corrupt')), keyPem(leaf)],
      /^x509svid: cannot parse PEM encoded certificate: x509: malformed certificate/,
    ],
    [
      'the key of another certificate',
      () => [certificatePem(leaf), keyPem(below)],
      'private key validation failed: leaf certificate does not match private key',
    ],
  ];
  for (const [why, given, message] of texts) {
    test(`refuses ${why}`, () => {
      const expected = typeof message === 'string' ? `x509svid: ${message}` : message;
      assert.throws(() => parseX509Svid(...given()), invalid(expected));
    });
  }

  test('refuses what is not DER', () => {
    const garbage = Buffer.from('garbage');
    assert.throws(
      () => parseRawX509Svid(garbage, leaf.key.toPkcs8()),
      invalid(/^x509svid: cannot parse DER encoded certificate: ./),
    );
    assert.throws(
      () => parseRawX509Svid(leaf.certificate.der, garbage),
      invalid(/^x509svid: cannot parse DER encoded private key: ./),
    );
  });

  const leaves: [rule: string, changes: Changes, message: string][] = [
    [
      'X-1: only a DNS name',
      { uris: [], dnsNames: ['example.org'] },
      'cannot get leaf certificate SPIFFE ID: certificate contains no URI SAN',
    ],
    [
      'X-4: an ID without path',
      { uris: ['spiffe://example.org'] },
      'leaf certificate SPIFFE ID must have a non-root path',
    ],
    [
      'X-11: the CA flag',
      { basicConstraints: { ca: true } },
      'leaf certificate must not have CA flag set to true',
    ],
    [
      'X-15: no digitalSignature',
      { keyUsage: ['keyEncipherment'] },
      "leaf certificate must have 'digitalSignature' set as key usage",
    ],
    [
      'X-13: no key usage',
      { keyUsage: [] },
      "leaf certificate must have 'digitalSignature' set as key usage",
    ],
    [
      'X-17: keyCertSign',
      { keyUsage: ['digitalSignature', 'keyCertSign'] },
      "leaf certificate must not have 'keyCertSign' set as key usage",
    ],
    [
      'X-17: cRLSign',
      { keyUsage: ['digitalSignature', 'cRLSign'] },
      "leaf certificate must not have 'cRLSign' set as key usage",
    ],
  ];
  for (const [rule, changes, message] of leaves) {
    test(`${rule}: refused, from PEM and from DER`, async () => {
      const holder = await leafWith(changes);
      const expected = invalid(`x509svid: certificate validation failed: ${message}`);
      assert.throws(() => parseX509Svid(certificatePem(holder), keyPem(holder)), expected);
      assert.throws(() => parseRawX509Svid(holder.certificate.der, holder.key.toPkcs8()), expected);
    });
  }

  const signers: [rule: string, changes: Changes, message: string][] = [
    [
      'X-6: CA:FALSE',
      { basicConstraints: { ca: false } },
      'signing certificate must have CA flag set to true',
    ],
    [
      'X-6: no keyCertSign',
      { keyUsage: ['digitalSignature'] },
      "signing certificate must have 'keyCertSign' set as key usage",
    ],
  ];
  for (const [rule, changes, message] of signers) {
    test(`${rule} in an intermediate: refused`, async () => {
      const signer = await intermediateAuthority(root, 'intermediate', changes);
      const holder = await leafOf(signer, ID);
      assert.throws(
        () => parseX509Svid(certificatePem(holder) + certificatePem(signer), keyPem(holder)),
        invalid(`x509svid: certificate validation failed: ${message}`),
      );
    });
  }

  describe('an X.509 bundle', () => {
    const counts: [what: string, pem: () => string, count: number][] = [
      ['two certificates', () => certificatePem(root) + certificatePem(intermediate), 2],
      ['one', () => certificatePem(root), 1],
      ['none', () => '', 0],
      ['the same twice', () => certificatePem(root) + certificatePem(root), 1],
    ];
    for (const [what, pem, count] of counts) {
      test(`${what}: ${count}`, () => {
        assert.equal(readX509Bundle(pem()).length, count);
      });
    }

    test('refuses what is not PEM, or corrupt', () => {
      assert.throws(
        () => readX509Bundle(FILLER),
        invalid('x509bundle: cannot parse certificate: no PEM blocks found'),
      );
      assert.throws(
        () => readX509Bundle(writePem('CERTIFICATE', Buffer.from('corrupt'))),
        invalid(/^x509bundle: cannot parse certificate: ./),
      );
    });
  });
});
