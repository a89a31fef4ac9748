import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import { type CertificateRequest, parseCsr, verifyCsr } from '../../crypto/csr.ts';
import { subjectKeyId } from '../../crypto/keys.ts';
import type { Signer } from '../../crypto/signer.ts';
import { buildCertificate, randomSerialNumber } from '../../crypto/x509/build-certificate.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { validity } from '../../spiffe/profiles.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';

/** A CA whose key is at hand. */
export type LocalCa = { readonly certificate: Certificate; readonly signer: Signer };

export type LocalRequest = {
  readonly csr: Uint8Array;
  /** 0: one hour. */
  readonly ttlSeconds: number;
  readonly now: number;
  readonly trustDomain: TrustDomain;
};

const DEFAULT_TTL_SECONDS = 60 * 60;

/**
 * Signs a server's CA where no service does (`reference/authorities-and-publishers.md` §A1, "Local signer"). Throws
 * 'internal'.
 */
export async function signX509Ca(ca: LocalCa, request: LocalRequest): Promise<Uint8Array> {
  try {
    return await sign(ca, request);
  } catch (error) {
    throw wrapFault('unable to sign CSR', error, 'internal');
  }
}

async function sign(
  { certificate: issuer, signer }: LocalCa,
  { csr: der, ttlSeconds, now, trustDomain }: LocalRequest,
): Promise<Uint8Array> {
  const csr = await readRequest(der, trustDomain);
  const { spki } = csr.publicKey;
  const ttl = ttlSeconds > 0 ? ttlSeconds : DEFAULT_TTL_SECONDS;
  return buildCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: issuer.subject,
      subject: csr.subject,
      ...validity(now, ttl, issuer.notAfter),
      publicKey: spki,
      keyUsage: ['keyCertSign', 'cRLSign'],
      basicConstraints: { ca: true },
      subjectKeyId: subjectKeyId(spki),
      authorityKeyId: issuer.subjectKeyId,
      dnsNames: [],
      uris: csr.uris,
      extraExtensions: csr.extensions,
    },
    signer,
  );
}

async function readRequest(der: Uint8Array, trustDomain: TrustDomain): Promise<CertificateRequest> {
  const csr = parse(der);
  await verifyCsr(csr).catch((error: unknown) => {
    throw wrapFault('CSR signature check failed', error);
  });
  const [uri, ...others] = csr.uris;
  if (uri === undefined || others.length > 0) {
    throw new Fault('invalid', 'CSR must have exactly one URI SAN');
  }
  const invalid = (why: string) =>
    new Fault('invalid', `CSR with SPIFFE ID "${uri}" is invalid: ${why}`);
  if (idOf(uri, invalid).toString() !== trustDomain.idString) {
    throw invalid(`must use the trust domain ID for trust domain "${trustDomain.name}"`);
  }
  return csr;
}

function parse(der: Uint8Array): CertificateRequest {
  try {
    return parseCsr(der);
  } catch (error) {
    throw wrapFault('unable to parse CSR', error);
  }
}

function idOf(uri: string, invalid: (why: string) => Fault): SpiffeId {
  try {
    return SpiffeId.parse(uri);
  } catch (error) {
    throw invalid(reasonOf(error));
  }
}
