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

/** The JWT authority of that key ID; a later one replaces an earlier one. */
export const jwtAuthority = (
  bundle: Pick<Bundle, 'jwtAuthorities'>,
  keyId: string,
): KeyAuthority | undefined => bundle.jwtAuthorities.findLast((key) => key.keyId === keyId);

/** The bundle with that X.509 authority too; one that is there already changes nothing. */
export function withX509Authority(bundle: Bundle, authority: X509Authority): Bundle {
  const known = bundle.x509Authorities.some(({ der }) => Buffer.compare(der, authority.der) === 0);
  if (known) return bundle;
  return { ...bundle, x509Authorities: [...bundle.x509Authorities, authority] };
}

/** The bundle with that JWT authority; one under the same key ID goes. */
export const withJwtAuthority = (bundle: Bundle, authority: KeyAuthority): Bundle => ({
  ...bundle,
  jwtAuthorities: [
    ...bundle.jwtAuthorities.filter(({ keyId }) => keyId !== authority.keyId),
    authority,
  ],
});

/** Whether they verify the same SVIDs and say the same of themselves: X.509 authorities in order, keys by their IDs. */
export const equalBundles = (a: Bundle, b: Bundle): boolean =>
  a.trustDomain.equals(b.trustDomain) &&
  a.refreshHintSeconds === b.refreshHintSeconds &&
  a.sequenceNumber === b.sequenceNumber &&
  a.x509Authorities.length === b.x509Authorities.length &&
  a.x509Authorities.every(({ der }, index) => sameBytes(der, b.x509Authorities[index]?.der)) &&
  equalKeys(a.jwtAuthorities, b.jwtAuthorities) &&
  equalKeys(a.witAuthorities, b.witAuthorities);

function equalKeys(a: readonly KeyAuthority[], b: readonly KeyAuthority[]): boolean {
  const other = new Map(b.map(({ keyId, publicKey }) => [keyId, publicKey]));
  return (
    new Set(a.map(({ keyId }) => keyId)).size === other.size &&
    a.every(({ keyId, publicKey }) => sameBytes(publicKey, other.get(keyId)))
  );
}

const sameBytes = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && Buffer.compare(a, b) === 0;
