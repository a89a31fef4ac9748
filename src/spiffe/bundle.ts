import { type Certificate, parseCertificates } from '../crypto/x509/certificate.ts';
import type { TrustDomain } from './trust-domain.ts';

/** What verifies the SVIDs of one trust domain. */
export type Bundle = {
  readonly trustDomain: TrustDomain;
  readonly x509Authorities: readonly X509Authority[];
  readonly jwtAuthorities: readonly KeyAuthority[];
  readonly witAuthorities: readonly KeyAuthority[];
  readonly refreshHintSeconds: number;
  /** An unsigned 64-bit number. */
  readonly sequenceNumber: bigint;
};

/** Usually one certificate; a stored record may hold several, concatenated, as SPIRE accepts them. */
export type X509Authority = { readonly der: Uint8Array; readonly tainted: boolean };

export type KeyAuthority = {
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  /** Unix seconds; 0: never. */
  readonly expiresAt: number;
  readonly tainted: boolean;
};

export const emptyBundle = (trustDomain: TrustDomain): Bundle => ({
  trustDomain,
  x509Authorities: [],
  jwtAuthorities: [],
  witAuthorities: [],
  refreshHintSeconds: 0,
  sequenceNumber: 0n,
});

/** The certificates of all X.509 authorities, in order. Throws 'invalid' where one cannot be parsed. */
export const x509AuthorityCertificates = (
  bundle: Pick<Bundle, 'x509Authorities'>,
): readonly Certificate[] => bundle.x509Authorities.flatMap(certificatesOf);

/** An authority never changes, so its certificates are parsed once. */
function certificatesOf(authority: X509Authority): readonly Certificate[] {
  const known = parsedAuthorities.get(authority);
  if (known !== undefined) return known;
  const certificates = parseCertificates(authority.der);
  parsedAuthorities.set(authority, certificates);
  return certificates;
}

const parsedAuthorities = new WeakMap<X509Authority, readonly Certificate[]>();

/** The DER of all X.509 authorities, one after another, as the Workload API sends them. */
export const x509AuthoritiesDer = (bundle: Pick<Bundle, 'x509Authorities'>): Uint8Array =>
  Buffer.concat(bundle.x509Authorities.map(({ der }) => der));

/** The JWT authority of that key ID; a later one replaces an earlier one. */
export const jwtAuthority = (
  bundle: Pick<Bundle, 'jwtAuthorities'>,
  keyId: string,
): KeyAuthority | undefined => bundle.jwtAuthorities.findLast((key) => key.keyId === keyId);
