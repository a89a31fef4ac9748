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
