import { Fault, reasonOf } from '../base/fault.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { verifyChain } from '../crypto/x509/verify-chain.ts';
import { type Bundle, x509AuthorityCertificates } from './bundle.ts';
import { SpiffeId } from './spiffe-id.ts';
import type { TrustDomain } from './trust-domain.ts';

/** Where a validator finds the bundle of a trust domain; undefined if it has none. */
export type BundleSource = (trustDomain: TrustDomain) => Bundle | undefined;

export type VerifiedX509Svid = {
  readonly id: SpiffeId;
  /** The chain that was verified, leaf first, root last. */
  readonly chain: readonly Certificate[];
};

/**
 * Verifies a chain, leaf first, with the bundle of the leaf's own trust domain (X509-SVID §5). Certificates of the
 * chain are intermediates only, never roots; any extended key usage is accepted, and no host name is looked at.
 * Throws 'unauthenticated' with the reference client's words.
 */
export async function verifyX509Svid(
  chainDer: readonly Uint8Array[],
  bundleOf: BundleSource,
  atUnixSeconds: number,
): Promise<VerifiedX509Svid> {
  const { leaf, intermediates } = parseChain(chainDer);
  const id = leafId(leaf);
  checkLeaf(leaf);
  if (id.path === '') throw refusal('leaf certificate SPIFFE ID must have a non-root path');
  const bundle = bundleOf(id.trustDomain);
  if (bundle === undefined) {
    throw refusal(
      `could not get X509 bundle: x509bundle: no X.509 bundle found for trust domain: "${id.trustDomain.name}"`,
    );
  }
  const roots = x509AuthorityCertificates(bundle);
  const chain = await verifyChain({ leaf, intermediates, roots, at: atUnixSeconds }).catch(
    (error: unknown) => {
      throw refusal(`could not verify leaf certificate: ${reasonOf(error)}`, error);
    },
  );
  return { id, chain };
}

/** The SPIFFE ID of a certificate: its one URI SAN (X509-SVID §2). Throws 'invalid'. */
export function x509SvidId({ uris }: Pick<Certificate, 'uris'>): SpiffeId {
  const [uri, ...others] = uris;
  if (uri === undefined) throw new Fault('invalid', 'certificate contains no URI SAN');
  if (others.length > 0) {
    throw new Fault('invalid', 'certificate contains more than one URI SAN');
  }
  return SpiffeId.parse(uri);
}

function parseChain(chainDer: readonly Uint8Array[]) {
  const [leaf, ...intermediates] = chainDer.map((der) => {
    try {
      return parseCertificate(der);
    } catch (error) {
      throw refusal(`unable to parse certificate: ${reasonOf(error)}`, error);
    }
  });
  if (leaf === undefined) throw refusal('empty certificates chain');
  return { leaf, intermediates };
}

function leafId(leaf: Certificate): SpiffeId {
  try {
    return x509SvidId(leaf);
  } catch (error) {
    throw refusal(`could not get leaf SPIFFE ID: ${reasonOf(error)}`, error);
  }
}

/** What a leaf must not be (X509-SVID §5.2); the words are go-spiffe's. */
function checkLeaf({ basicConstraints, keyUsage }: Certificate): void {
  if (basicConstraints?.ca === true) throw refusal('leaf certificate with CA flag set to true');
  if (keyUsage?.has('keyCertSign')) {
    throw refusal('leaf certificate with KeyCertSign key usage');
  }
  if (keyUsage?.has('cRLSign')) throw refusal('leaf certificate with KeyCrlSign key usage');
}

const refusal = (message: string, cause?: unknown): Fault =>
  new Fault('unauthenticated', `x509svid: ${message}`, { cause });
