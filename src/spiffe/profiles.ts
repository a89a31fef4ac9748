import { subjectKeyId } from '../crypto/keys.ts';
import { type CertificateTemplate, extendedKeyUsages } from '../crypto/x509/build-certificate.ts';
import { nameDer } from '../crypto/x509/name.ts';
import { SpiffeId } from './spiffe-id.ts';
import { readSubject, type Subject, subjectDer } from './subject.ts';
import type { TrustDomain } from './trust-domain.ts';

/** What every certificate needs, whatever it is for. Times are Unix seconds; `validity` makes them. */
export type CertificateBasics = {
  readonly serialNumber: bigint;
  /** SubjectPublicKeyInfo DER of the certificate's own key. */
  readonly publicKey: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
};

/** The CA certificate that signs. */
export type CertificateIssuer = {
  /** DER of its Name. */
  readonly subject: Uint8Array;
  readonly subjectKeyId: Uint8Array;
};

export type WorkloadProfile = {
  readonly id: SpiffeId;
  readonly dnsNames: readonly string[];
  /** DER of a Name, as a CSR gave it; undefined or empty: C=US, O=SPIRE. The first DNS name becomes the CN of either. */
  readonly subject?: Uint8Array | undefined;
};

/** Clocks of validators may be behind ours. */
const BACKDATE_SECONDS = 10;

/** From a little before now until the lifetime ends or the issuer's certificate does. */
export const validity = (now: number, ttlSeconds: number, issuerNotAfter = Infinity) => ({
  notBefore: now - BACKDATE_SECONDS,
  notAfter: Math.min(now + ttlSeconds, issuerNotAfter),
});

/** The profiles are those of `reference/server.md` §7.2. */
export const workloadTemplate = (
  { id, dnsNames, subject }: WorkloadProfile,
  basics: CertificateBasics,
  issuer: CertificateIssuer,
): CertificateTemplate =>
  svidTemplate(id, workloadSubject(subject, dnsNames), dnsNames, { ...basics, issuer });

export const agentTemplate = (
  id: SpiffeId,
  basics: CertificateBasics,
  issuer: CertificateIssuer,
): CertificateTemplate => svidTemplate(id, DEFAULT_SUBJECT_DER, [], { ...basics, issuer });

export const serverTemplate = (
  trustDomain: TrustDomain,
  basics: CertificateBasics,
  issuer: CertificateIssuer,
): CertificateTemplate =>
  svidTemplate(SpiffeId.server(trustDomain), DEFAULT_SUBJECT_DER, [], { ...basics, issuer });

/** A serial number is added to a CA's subject unless it has one, so that no two CAs have the same name. DER. */
export const caSubject = (subject: Subject, serialNumber: bigint): Uint8Array =>
  subjectDer({ SERIALNUMBER: [serialNumber.toString()], ...subject });

export function selfSignedCaTemplate(
  trustDomain: TrustDomain,
  subject: Subject,
  basics: CertificateBasics,
): CertificateTemplate {
  const name = caSubject(subject, basics.serialNumber);
  return { ...caTemplate(trustDomain, basics), issuer: name, subject: name };
}

/** `chainLength`: how many certificates the signing CA's chain has, 1 if it is self-signed. */
export const downstreamCaTemplate = (
  trustDomain: TrustDomain,
  chainLength: number,
  basics: CertificateBasics,
  issuer: CertificateIssuer,
): CertificateTemplate => ({
  ...caTemplate(trustDomain, basics),
  issuer: issuer.subject,
  subject: subjectDer({ ...readSubject(issuer.subject), OU: [`DOWNSTREAM-${chainLength}`] }),
  authorityKeyId: issuer.subjectKeyId,
});

const DEFAULT_SUBJECT: Subject = { C: ['US'], O: ['SPIRE'] };
const DEFAULT_SUBJECT_DER = subjectDer(DEFAULT_SUBJECT);
const EMPTY_NAME = nameDer([]);

function workloadSubject(
  requested: Uint8Array | undefined,
  [commonName]: readonly string[],
): Uint8Array {
  const isDefault =
    requested === undefined ||
    requested.length === 0 ||
    Buffer.compare(requested, EMPTY_NAME) === 0;
  if (isDefault && commonName === undefined) return DEFAULT_SUBJECT_DER;
  const subject = isDefault ? DEFAULT_SUBJECT : readSubject(requested);
  return subjectDer({ ...subject, ...(commonName !== undefined && { CN: [commonName] }) });
}

/** The same objects in every template, so that each is encoded once. */
const svidUse = {
  keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
  extendedKeyUsage: [extendedKeyUsages.serverAuth, extendedKeyUsages.clientAuth],
  basicConstraints: { ca: false },
} as const;

const svidTemplate = (
  id: SpiffeId,
  subject: Uint8Array,
  dnsNames: readonly string[],
  { issuer, ...basics }: CertificateBasics & { readonly issuer: CertificateIssuer },
): CertificateTemplate => ({
  ...basics,
  issuer: issuer.subject,
  subject,
  ...svidUse,
  subjectKeyId: subjectKeyId(basics.publicKey),
  authorityKeyId: issuer.subjectKeyId,
  dnsNames,
  uris: [id.toString()],
});

const caTemplate = (
  trustDomain: TrustDomain,
  basics: CertificateBasics,
): Omit<CertificateTemplate, 'issuer' | 'subject'> => ({
  ...basics,
  keyUsage: ['keyCertSign', 'cRLSign'],
  basicConstraints: { ca: true },
  subjectKeyId: subjectKeyId(basics.publicKey),
  dnsNames: [],
  uris: [trustDomain.idString],
});
