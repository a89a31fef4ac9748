import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import {
  type Changes,
  type Holder,
  intermediateAuthority,
  leafOf,
  NOW,
  rootAuthority,
} from '../../test/kit/certificates.ts';
import { readPem } from '../crypto/pem.ts';
import { extendedKeyUsages } from '../crypto/x509/build-certificate.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import { type Bundle, emptyBundle } from './bundle.ts';
import { readBundleDocument } from './bundle-document.ts';
import { TrustDomain } from './trust-domain.ts';
import { type BundleSource, verifyX509Svid, x509SvidId } from './x509-svid.ts';

const domain1 = TrustDomain.parse('domain1.test');
const domain2 = TrustDomain.parse('domain2.test');
const WORKLOAD = 'spiffe://domain1.test/workload';
const HOUR = 3600;

const bundle = (trustDomain: TrustDomain, ...roots: readonly Holder[]): Bundle => ({
  ...emptyBundle(trustDomain),
  x509Authorities: roots.map(({ certificate }) => ({ der: certificate.der, tainted: false })),
});
const from =
  (...bundles: readonly Bundle[]): BundleSource =>
  (trustDomain) =>
    bundles.find((known) => known.trustDomain.equals(trustDomain));

const refusal = (message: string) => ({ name: 'Fault', kind: 'unauthenticated', message });

describe('X509-SVID verification', () => {
  let root: Holder;
  let other: Holder;
  let bundles: BundleSource;
  before(async () => {
    root = await rootAuthority('root', { uris: ['spiffe://domain1.test'] });
    other = await rootAuthority('other', { uris: ['spiffe://domain2.test'] });
    bundles = from(bundle(domain1, root), bundle(domain2, other));
  });

  const leafWith = async (changes: Changes, uri = WORKLOAD) =>
    (await leafOf(root, uri, changes)).certificate.der;

  test('X-20: verifies a leaf with the bundle of its own trust domain', async () => {
    const der = await leafWith({});
    const { id, chain } = await verifyX509Svid([der], bundles, NOW);
    assert.equal(id.toString(), WORKLOAD);
    assert.deepEqual(
      chain.map((certificate) => Buffer.from(certificate.der).toString('hex')),
      [der, root.certificate.der].map((bytes) => Buffer.from(bytes).toString('hex')),
    );
  });

  test('X-26: verifies a leaf through an intermediate of the presented chain', async () => {
    const intermediate = await intermediateAuthority(root, 'intermediate');
    const leaf = await leafOf(intermediate, WORKLOAD);
    const { chain } = await verifyX509Svid(
      [leaf.certificate.der, intermediate.certificate.der],
      bundles,
      NOW,
    );
    assert.equal(chain.length, 3);
  });

  test('X-20: does not take a root from the presented chain', async () => {
    const leaf = await leafOf(other, WORKLOAD);
    await assert.rejects(
      verifyX509Svid([leaf.certificate.der, other.certificate.der], bundles, NOW),
      refusal(
        'x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority',
      ),
    );
  });

  const accepted: [rule: string, changes: Changes][] = [
    ['X-3: DNS names beside the URI', { dnsNames: ['example.org', 'example.com'] }],
    ['X-15: digitalSignature alone', { keyUsage: ['digitalSignature'] }],
    [
      'X-16: keyEncipherment and keyAgreement',
      {
        keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
      },
    ],
    ['X-18: no extended key usage', { extendedKeyUsage: undefined }],
    ['any extended key usage', { extendedKeyUsage: [extendedKeyUsages.serverAuth] }],
    ['X-11: no basic constraints at all', { basicConstraints: undefined }],
  ];
  for (const [rule, changes] of accepted) {
    test(`${rule}: accepted`, async () => {
      const { id } = await verifyX509Svid([await leafWith(changes)], bundles, NOW);
      assert.equal(id.toString(), WORKLOAD);
    });
  }

  const refused: [rule: string, changes: Changes, message: string][] = [
    [
      'X-21: a scheme that is not spiffe',
      { uris: ['sparfe://domain1.test/workload'] },
      'could not get leaf SPIFFE ID: scheme is missing or invalid',
    ],
    [
      'X-1: no URI SAN',
      { uris: [] },
      'could not get leaf SPIFFE ID: certificate contains no URI SAN',
    ],
    [
      'X-2: two URI SANs',
      { uris: [WORKLOAD, 'spiffe://domain1.test/other'] },
      'could not get leaf SPIFFE ID: certificate contains more than one URI SAN',
    ],
    [
      'X-4: an ID without path',
      { uris: ['spiffe://domain1.test'] },
      'leaf certificate SPIFFE ID must have a non-root path',
    ],
    [
      'X-10, X-11: a signing certificate',
      { basicConstraints: { ca: true } },
      'leaf certificate with CA flag set to true',
    ],
    [
      'X-17: keyCertSign',
      { keyUsage: ['digitalSignature', 'keyCertSign'] },
      'leaf certificate with KeyCertSign key usage',
    ],
    [
      'X-17: cRLSign',
      { keyUsage: ['digitalSignature', 'cRLSign'] },
      'leaf certificate with KeyCrlSign key usage',
    ],
  ];
  for (const [rule, changes, message] of refused) {
    test(`${rule}: refused`, async () => {
      const der = await leafWith(changes);
      await assert.rejects(verifyX509Svid([der], bundles, NOW), refusal(`x509svid: ${message}`));
    });
  }

  test('refuses an empty chain', async () => {
    await assert.rejects(
      verifyX509Svid([], bundles, NOW),
      refusal('x509svid: empty certificates chain'),
    );
  });

  test('refuses what is no certificate, at any place of the chain', async () => {
    const garbage = Buffer.from('not DER');
    for (const chain of [[garbage], [await leafWith({}), garbage]]) {
      await assert.rejects(verifyX509Svid(chain, bundles, NOW), {
        kind: 'unauthenticated',
        message: /^x509svid: unable to parse certificate: ./,
      });
    }
  });

  test("X-25, B-10: refuses a leaf whose trust domain's bundle is not known", async () => {
    await assert.rejects(
      verifyX509Svid([await leafWith({})], from(bundle(domain2, root)), NOW),
      refusal(
        'x509svid: could not get X509 bundle: x509bundle: no X.509 bundle found for trust domain: "domain1.test"',
      ),
    );
  });

  const unknownAuthority =
    'x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority';
  test('X-25, B-5: refuses a leaf of a trust domain without X.509 authorities', async () => {
    await assert.rejects(
      verifyX509Svid([await leafWith({})], from(bundle(domain1)), NOW),
      refusal(unknownAuthority),
    );
  });

  test('B-10: refuses a leaf with the roots of another trust domain', async () => {
    await assert.rejects(
      verifyX509Svid([await leafWith({})], from(bundle(domain1, other)), NOW),
      refusal(unknownAuthority),
    );
  });

  const times: [what: string, at: number, accepted: boolean][] = [
    ['before NotBefore', NOW - HOUR - 1, false],
    ['at NotBefore', NOW - HOUR, true],
    ['at NotAfter', NOW + HOUR, true],
    ['after NotAfter', NOW + HOUR + 1, false],
  ];
  for (const [what, at, isAccepted] of times) {
    test(`${what}: ${isAccepted ? 'accepted' : 'refused'}`, async () => {
      const verified = verifyX509Svid([await leafWith({})], bundles, at);
      if (isAccepted) return void (await verified);
      await assert.rejects(verified, {
        message:
          /^x509svid: could not verify leaf certificate: x509: certificate has expired or is not yet valid/,
      });
    });
  }

  const badAuthorities: [rule: string, changes: Changes][] = [
    ['X-6: one that is no CA', { basicConstraints: { ca: false } }],
    ['X-6: one without keyCertSign', { keyUsage: ['cRLSign'] }],
    ['X-12: one whose path length does not allow it', {}],
  ];
  for (const [rule, changes] of badAuthorities) {
    test(`${rule} cannot stand above a leaf`, async () => {
      const top = rule.startsWith('X-12')
        ? await rootAuthority('top', { basicConstraints: { ca: true, pathLength: 0 } })
        : root;
      const intermediate = await intermediateAuthority(top, 'intermediate', changes);
      const leaf = await leafOf(intermediate, WORKLOAD);
      await assert.rejects(
        verifyX509Svid(
          [leaf.certificate.der, intermediate.certificate.der],
          from(bundle(domain1, top)),
          NOW,
        ),
        {
          kind: 'unauthenticated',
          message: /^x509svid: could not verify leaf certificate: x509: /,
        },
      );
    });
  }

  test('X-23: an authority need not be self-signed', async () => {
    const intermediate = await intermediateAuthority(root, 'intermediate');
    const leaf = await leafOf(intermediate, WORKLOAD);
    const { chain } = await verifyX509Svid(
      [leaf.certificate.der],
      from(bundle(domain1, intermediate)),
      NOW,
    );
    assert.equal(chain.length, 2);
  });
});

describe("SPIRE's own SVIDs", () => {
  const data = join(import.meta.dirname, '../../test/data/fixtures/svid');
  const goldenTest = TrustDomain.parse('golden.test');
  const files: [file: string, id: string, dnsNames: string[]][] = [
    ['svid.0.pem', 'spiffe://golden.test/web', ['web.golden.test', 'www.golden.test']],
    ['svid.pem', 'spiffe://golden.test/minted', ['m.golden.test']],
  ];
  for (const [file, id, dnsNames] of files) {
    test(`${file} verifies against the bundle document, X-5, X-13 and X-18 hold`, async () => {
      const chain = readPem(await readFile(join(data, file))).map(({ der }) => der);
      const golden = readBundleDocument(goldenTest, await readFile(join(data, 'bundle.json')));
      const leaf = parseCertificate(chain[0] ?? new Uint8Array());
      const verified = await verifyX509Svid(chain, from(golden), leaf.notBefore + 60);
      assert.equal(verified.id.toString(), id);
      assert.deepEqual(leaf.dnsNames, dnsNames);
      const critical = leaf.extensions.filter((extension) => extension.critical);
      assert.deepEqual(
        critical.map(({ oid }) => oid),
        ['2.5.29.15', '2.5.29.19'],
      );
      assert.deepEqual(leaf.extendedKeyUsage, [
        extendedKeyUsages.serverAuth,
        extendedKeyUsages.clientAuth,
      ]);
    });
  }

  test('X-7, X-8, X-9, X-14: the authorities are SVIDs of the trust domain, without path', async () => {
    const golden = readBundleDocument(goldenTest, await readFile(join(data, 'bundle.json')));
    for (const { der } of golden.x509Authorities) {
      const authority = parseCertificate(der);
      assert.equal(x509SvidId(authority).toString(), 'spiffe://golden.test');
      assert.deepEqual([...(authority.keyUsage ?? [])], ['keyCertSign', 'cRLSign']);
      assert.deepEqual(authority.basicConstraints?.ca, true);
      assert.equal(Buffer.compare(authority.issuer, authority.subject), 0);
    }
  });
});
