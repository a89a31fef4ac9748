/** OpenSSL as the peer: what it makes is read and verified here, what is made here it reads and verifies. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import {
  intermediateAuthority,
  leafOf,
  NOW,
  rootAuthority,
} from '../../../test/kit/certificates.ts';
import { sharedKey } from '../../../test/kit/keys.ts';
import { missing } from '../../../test/kit/toolchain.ts';
import { buildCsr, parseCsr, verifyCsr } from '../csr.ts';
import { type KeyType, keyTypes, readPrivateKeyPem, subjectKeyId } from '../keys.ts';
import { readPem, writePem } from '../pem.ts';
import { buildCertificate, randomSerialNumber } from './build-certificate.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { nameDer } from './name.ts';
import { verifyChain } from './verify-chain.ts';

const skip = missing('openssl');
const run = promisify(execFile);

/** Runs openssl in a folder of the test's own. */
async function workspace(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'steeple-openssl-'));
  t.after(() => rm(folder, { recursive: true }));
  return {
    openssl: async (...args: string[]) => (await run('openssl', args, { cwd: folder })).stdout,
    read: (file: string) => readFile(join(folder, file), 'utf8'),
    write: (file: string, content: string) => writeFile(join(folder, file), content),
  };
}

const derOf = (pem: string): Uint8Array => readPem(pem)[0]?.der ?? new Uint8Array();
const pemOf = ({ der }: Certificate): string => writePem('CERTIFICATE', der);

const opensslKeys = [
  ['P-256', ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], []],
  ['P-384', ['EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['-sha384']],
  ['P-521', ['EC', '-pkeyopt', 'ec_paramgen_curve:P-521'], ['-sha512']],
  ['RSA-2048', ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], ['-sha256']],
  ['RSA-2048 with SHA-512', ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], ['-sha512']],
  ...['sha256', 'sha384', 'sha512'].map((hash) => [
    `RSA-2048 with PSS and ${hash}`,
    ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    [`-${hash}`, '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'],
  ]),
] as [string, string[], string[]][];

for (const [name, algorithm, signing] of opensslKeys) {
  test(`certificates, requests and keys of OpenSSL on ${name}`, { skip }, async (t) => {
    const { openssl, read } = await workspace(t);
    await openssl('genpkey', '-algorithm', ...algorithm, '-out', 'key.pem');
    const subject = ['-subj', '/C=US/O=Ünter/CN=ca', '-utf8'];
    const names = ['-addext', 'subjectAltName=URI:spiffe://a.test,DNS:a.test,IP:::1,email:x@y'];
    const both = ['-new', '-key', 'key.pem', ...subject, ...names, ...signing];
    await openssl('req', '-x509', ...both, '-days', '2', '-out', 'ca.pem');
    await openssl('req', ...both, '-out', 'csr.pem');

    const root = parseCertificate(derOf(await read('ca.pem')));
    const key = readPrivateKeyPem(await read('key.pem'));
    assert.deepEqual(root.spki, key.publicKey.spki);
    assert.deepEqual(
      [root.uris, root.dnsNames, root.emailAddresses],
      [['spiffe://a.test'], ['a.test'], ['x@y']],
    );
    // It is its own issuer, so that as an intermediate its signature is checked.
    const twin = { ...root, der: new Uint8Array(), spki: new Uint8Array() };
    const at = root.notBefore;
    const chain = await verifyChain({ leaf: twin, intermediates: [], roots: [root], at });
    assert.equal(chain.length, 2);

    const csr = parseCsr(derOf(await read('csr.pem')));
    await verifyCsr(csr);
    assert.deepEqual([csr.subject, csr.uris], [root.subject, root.uris]);
  });
}

for (const type of Object.keys(keyTypes) as KeyType[]) {
  test(`OpenSSL verifies a request by a key of type ${type}`, { skip }, async (t) => {
    const { openssl, write } = await workspace(t);
    const key = await sharedKey(type);
    await write('key.pem', writePem('PRIVATE KEY', key.toPkcs8()));
    await openssl('pkey', '-in', 'key.pem', '-check', '-noout');
    const content = {
      subject: nameDer([['CN', 'n']]),
      dnsNames: ['d.test'],
      uris: ['spiffe://a/b'],
    };
    await write('csr.pem', writePem('CERTIFICATE REQUEST', await buildCsr(content, key)));
    const text = await openssl('req', '-in', 'csr.pem', '-verify', '-noout', '-text');
    assert.match(text, /DNS:d\.test, URI:spiffe:\/\/a\/b/);
  });

  test(`OpenSSL verifies a certificate signed by a key of type ${type}`, { skip }, async (t) => {
    const { openssl, write } = await workspace(t);
    const key = await sharedKey(type);
    const name = nameDer([['CN', 'root']]);
    const der = await buildCertificate(
      {
        serialNumber: randomSerialNumber(),
        issuer: name,
        subject: name,
        notBefore: NOW - 60,
        notAfter: NOW + 60,
        publicKey: key.publicKey.spki,
        keyUsage: ['keyCertSign'],
        basicConstraints: { ca: true, pathLength: 0 },
        subjectKeyId: subjectKeyId(key.publicKey.spki),
        dnsNames: [],
        uris: ['spiffe://a'],
      },
      key,
    );
    await write('root.pem', writePem('CERTIFICATE', der));
    const leaf = await leafOf({ certificate: parseCertificate(der), key }, 'spiffe://a/b');
    await write('leaf.pem', pemOf(leaf.certificate));
    const strict = ['-x509_strict', '-check_ss_sig', '-attime', String(NOW)];
    const verified = await openssl('verify', ...strict, '-CAfile', 'root.pem', 'leaf.pem');
    assert.equal(verified, 'leaf.pem: OK\n');
  });
}

test('OpenSSL and we agree on chains, good and bad', { skip }, async (t) => {
  const { openssl, write } = await workspace(t);
  const root = await rootAuthority('root');
  const other = await rootAuthority('root');
  const bad = { basicConstraints: { ca: true, pathLength: 0 } };
  for (const [anchor, changes, below] of [
    [root, {}, 'fits'],
    [other, {}, 'has another root'],
    [root, { keyUsage: ['digitalSignature'] }, 'may not sign'],
    [root, { basicConstraints: { ca: false } }, 'is no CA'],
    [root, { notAfter: NOW - 1 }, 'is expired'],
    [root, bad, 'may have no authority below'],
  ] as const) {
    const first = await intermediateAuthority(root, 'one', changes);
    const second = await intermediateAuthority(first, 'two');
    const leaf = await leafOf(second, 'spiffe://a/b');
    await write('root.pem', pemOf(anchor.certificate));
    await write('chain.pem', pemOf(first.certificate) + pemOf(second.certificate));
    await write('leaf.pem', pemOf(leaf.certificate));
    const at = ['-attime', String(NOW), '-CAfile', 'root.pem'];
    const theirs = await openssl('verify', ...at, '-untrusted', 'chain.pem', 'leaf.pem').then(
      () => true,
      () => false,
    );
    const ours = await verifyChain({
      leaf: leaf.certificate,
      intermediates: [first.certificate, second.certificate],
      roots: [anchor.certificate],
      at: NOW,
    }).then(
      () => true,
      () => false,
    );
    assert.deepEqual([ours, theirs], [below === 'fits', below === 'fits'], below);
  }
});
