import { generateKey, type PrivateKey, subjectKeyId } from '../../src/crypto/keys.ts';
import {
  buildCertificate,
  type CertificateTemplate,
  extendedKeyUsages,
  randomSerialNumber,
} from '../../src/crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { nameDer } from '../../src/crypto/x509/name.ts';

/** Unix seconds in the middle of the validity of everything made here. */
export const NOW = 1_800_000_000;
const HOUR = 3600;

/** A certificate and the key that it is about. */
export type Holder = { readonly certificate: Certificate; readonly key: PrivateKey };

/** What a test bends of a certificate that is otherwise right. */
export type Changes = Partial<CertificateTemplate>;

/** A self-signed authority. */
export async function rootAuthority(name: string, changes: Changes = {}): Promise<Holder> {
  const key = await generateKey('ec-p256');
  return issue(key, key, { ...authority(name, key), issuer: nameDer([['CN', name]]), ...changes });
}

/** An authority below another. */
export async function intermediateAuthority(
  issuer: Holder,
  name: string,
  changes: Changes = {},
): Promise<Holder> {
  const key = await generateKey('ec-p256');
  return issue(issuer.key, key, { ...authority(name, key), ...issuedBy(issuer), ...changes });
}

/** A leaf as a workload has it. */
export async function leafOf(issuer: Holder, uri: string, changes: Changes = {}): Promise<Holder> {
  const key = await generateKey('ec-p256');
  return issue(issuer.key, key, {
    ...common(key),
    subject: nameDer([
      ['C', 'US'],
      ['O', 'SPIRE'],
    ]),
    keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
    extendedKeyUsage: [extendedKeyUsages.serverAuth, extendedKeyUsages.clientAuth],
    basicConstraints: { ca: false },
    uris: [uri],
    ...issuedBy(issuer),
    ...changes,
  });
}

async function issue(
  signer: PrivateKey,
  key: PrivateKey,
  template: CertificateTemplate,
): Promise<Holder> {
  return { certificate: parseCertificate(await buildCertificate(template, signer)), key };
}

const authority = (name: string, key: PrivateKey) =>
  ({
    ...common(key),
    subject: nameDer([['CN', name]]),
    keyUsage: ['keyCertSign', 'cRLSign'],
    basicConstraints: { ca: true },
    uris: [],
  }) as const;

const issuedBy = ({ certificate: { subject, subjectKeyId } }: Holder) => ({
  issuer: subject,
  authorityKeyId: subjectKeyId,
});

const common = ({ publicKey: { spki } }: PrivateKey) => ({
  serialNumber: randomSerialNumber(),
  notBefore: NOW - HOUR,
  notAfter: NOW + HOUR,
  publicKey: spki,
  subjectKeyId: subjectKeyId(spki),
  dnsNames: [],
});
