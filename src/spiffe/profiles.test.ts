import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { generateKey, type PrivateKey, subjectKeyId } from '../crypto/keys.ts';
import { readPem } from '../crypto/pem.ts';
import { buildCertificate, type CertificateTemplate } from '../crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { nameDer, nameText } from '../crypto/x509/name.ts';
import { readBundleDocument } from './bundle-document.ts';
import {
  agentTemplate,
  type CertificateBasics,
  downstreamCaTemplate,
  selfSignedCaTemplate,
  serverTemplate,
  validity,
  workloadTemplate,
} from './profiles.ts';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';
import { x509SvidId } from './x509-svid.ts';

const fixtures = join(import.meta.dirname, '../../test/data/fixtures');
const goldenTest = TrustDomain.parse('golden.test');

const basicsOf = (certificate: Certificate): CertificateBasics => ({
  serialNumber: certificate.serialNumber,
  publicKey: certificate.spki,
  notBefore: certificate.notBefore,
  notAfter: certificate.notAfter,
});
const issuerOf = ({ subject, subjectKeyId: keyId }: Certificate) => {
  assert.ok(keyId);
  return { subject, subjectKeyId: keyId };
};

describe("SPIRE's own certificates come out of our profiles byte for byte", () => {
  let authorities: Certificate[];
  let key: PrivateKey;
  before(async () => {
    const bundle = readBundleDocument(
      goldenTest,
      await readFile(join(fixtures, 'svid/bundle.json')),
    );
    authorities = bundle.x509Authorities.map(({ der }) => parseCertificate(der));
    key = await generateKey('ec-p256');
  });

  /** The signature differs, since we do not have that key; what is signed may not. */
  async function assertSame(golden: Certificate, template: CertificateTemplate): Promise<void> {
    const ours = parseCertificate(await buildCertificate(template, key));
    assert.equal(Buffer.from(ours.tbs).toString('hex'), Buffer.from(golden.tbs).toString('hex'));
  }

  const authorityOf = (certificate: Certificate): Certificate => {
    const found = authorities.find(
      (authority) => Buffer.compare(authority.subject, certificate.issuer) === 0,
    );
    assert.ok(found);
    return found;
  };
  const read = async (file: string): Promise<Certificate> => {
    const [block] = readPem(await readFile(join(fixtures, file)));
    return parseCertificate(block?.der ?? new Uint8Array());
  };

  test('the self-signed CA', async () => {
    for (const authority of authorities) {
      const subject = { C: ['US'], O: ['GOLDEN'], CN: ['golden'] };
      await assertSame(authority, selfSignedCaTemplate(goldenTest, subject, basicsOf(authority)));
    }
  });

  for (const file of ['svid/svid.0.pem', 'svid/svid.pem']) {
    test(`a workload's: ${file}`, async () => {
      const golden = await read(file);
      const profile = { id: x509SvidId(golden), dnsNames: golden.dnsNames };
      const issuer = issuerOf(authorityOf(golden));
      await assertSame(golden, workloadTemplate(profile, basicsOf(golden), issuer));
    });
  }

  test("an agent's", async () => {
    const data = JSON.parse(await readFile(join(fixtures, 'agent/data/agent-data.json'), 'utf8'));
    const [block] = readPem(Buffer.from(data.svid[0], 'base64'));
    const golden = parseCertificate(block?.der ?? new Uint8Array());
    const issuer = issuerOf(authorityOf(golden));
    await assertSame(golden, agentTemplate(x509SvidId(golden), basicsOf(golden), issuer));
  });

  test("a server's, as the bundle endpoint showed it", async () => {
    const golden = await read('endpoint/endpoint.pem');
    const issuer = issuerOf(authorityOf(golden));
    await assertSame(golden, serverTemplate(goldenTest, basicsOf(golden), issuer));
  });
});

describe('a profile', () => {
  const trustDomain = TrustDomain.parse('example.org');
  const id = SpiffeId.of(trustDomain, '/web');
  let basics: CertificateBasics;
  let issuer: { subject: Uint8Array; subjectKeyId: Uint8Array };
  before(async () => {
    const { publicKey } = await generateKey('ec-p256');
    basics = { serialNumber: 7n, publicKey: publicKey.spki, notBefore: 0, notAfter: 100 };
    issuer = {
      subject: nameDer([
        ['C', 'US'],
        ['O', 'SPIFFE'],
        ['SERIALNUMBER', '1'],
      ]),
      subjectKeyId: subjectKeyId(publicKey.spki),
    };
  });

  const workloadSubject = (dnsNames: string[], subject?: Uint8Array) =>
    nameText(workloadTemplate({ id, dnsNames, subject }, basics, issuer).subject);

  const subjects: [
    why: string,
    dnsNames: string[],
    subject: Uint8Array | undefined,
    text: string,
  ][] = [
    ['no subject', [], undefined, 'O=SPIRE,C=US'],
    ['an empty subject', [], nameDer([]), 'O=SPIRE,C=US'],
    ['no bytes', [], new Uint8Array(), 'O=SPIRE,C=US'],
    ['a DNS name', ['a.test', 'b.test'], undefined, 'CN=a.test,O=SPIRE,C=US'],
    ['a subject', [], nameDer([['O', 'ORG']]), 'O=ORG'],
    ['a CN and a DNS name', ['a.test'], nameDer([['CN', 'x']]), 'CN=a.test'],
    [
      'an unknown attribute',
      [],
      nameDer([
        ['1.2.3.4', 'x'],
        ['O', 'ORG'],
      ]),
      'O=ORG',
    ],
    [
      'attributes in another order',
      [],
      nameDer([
        ['O', 'ORG'],
        ['C', 'DE'],
      ]),
      'O=ORG,C=DE',
    ],
    [
      'an attribute twice',
      [],
      nameDer([
        ['OU', 'a'],
        ['OU', 'b'],
      ]),
      'OU=a+OU=b',
    ],
  ];
  for (const [why, dnsNames, subject, text] of subjects) {
    test(`of a workload with ${why}: ${text}`, () => {
      assert.equal(workloadSubject(dnsNames, subject), text);
    });
  }

  test('X-5: without a subject the URI SAN is critical', async () => {
    const template = workloadTemplate({ id, dnsNames: [] }, basics, issuer);
    const key = await generateKey('ec-p256');
    const der = await buildCertificate({ ...template, subject: nameDer([]) }, key);
    const san = parseCertificate(der).extensions.find(({ oid }) => oid === '2.5.29.17');
    assert.equal(san?.critical, true);
  });

  test('of a downstream CA takes the subject of the signing CA, with its place in the OU', () => {
    const template = downstreamCaTemplate(trustDomain, 2, basics, issuer);
    assert.equal(nameText(template.subject), 'SERIALNUMBER=1,OU=DOWNSTREAM-2,O=SPIFFE,C=US');
    assert.deepEqual(template.uris, ['spiffe://example.org']);
    assert.deepEqual(template.keyUsage, ['keyCertSign', 'cRLSign']);
    assert.deepEqual(template.basicConstraints, { ca: true });
    assert.equal(template.extendedKeyUsage, undefined);
    assert.deepEqual(template.authorityKeyId, issuer.subjectKeyId);
  });

  test('of a self-signed CA keeps the serial number that its subject has', () => {
    const subject = (serial?: string) =>
      nameText(
        selfSignedCaTemplate(
          trustDomain,
          { O: ['X'], ...(serial && { SERIALNUMBER: [serial] }) },
          basics,
        ).subject,
      );
    assert.equal(subject(), 'SERIALNUMBER=7,O=X');
    assert.equal(subject('42'), 'SERIALNUMBER=42,O=X');
  });

  test('lives from ten seconds ago, and never longer than its issuer', () => {
    assert.deepEqual(validity(1000, 60), { notBefore: 990, notAfter: 1060 });
    assert.deepEqual(validity(1000, 60, 1030), { notBefore: 990, notAfter: 1030 });
  });
});
