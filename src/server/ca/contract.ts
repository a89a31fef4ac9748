import type { PublicKey } from '../../crypto/signer.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { WitKey } from '../../spiffe/wit-key.ts';

/** A certificate chain, leaf first, root left out. */
export type IssuedX509Svid = {
  readonly chain: readonly Uint8Array[];
  readonly serialNumber: bigint;
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type X509SvidRequest = {
  readonly id: SpiffeId;
  readonly publicKey: PublicKey;
  readonly dnsNames: readonly string[];
  /** 0 or less: the server's default. */
  readonly ttlSeconds: number;
  /** DER of a Name; undefined or empty: the default C=US, O=SPIRE. */
  readonly subject?: Uint8Array | undefined;
};

export type DownstreamX509CaRequest = {
  readonly publicKey: PublicKey;
  /** 0 or less: the server's `ca_ttl`. */
  readonly ttlSeconds: number;
};

export type JwtSvidRequest = {
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  readonly ttlSeconds: number;
  readonly includeJti: boolean;
};

export type IssuedJwtSvid = {
  readonly token: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
};

export type WitSvidRequest = WitKey & {
  readonly id: SpiffeId;
  /** 0 or less: one hour. */
  readonly ttlSeconds: number;
};

/**
 * Issues what the caller was authorised for (`reference/server.md` §7). Throws 'internal' with SPIRE's texts
 * (`X509 CA is not available for signing`, ...), and 'invalid' for an audience without any name. The value that is
 * checked is the value that is signed.
 */
export interface Issuer {
  workloadX509Svid(request: X509SvidRequest): Promise<IssuedX509Svid>;
  agentX509Svid(id: SpiffeId, publicKey: PublicKey): Promise<IssuedX509Svid>;
  serverX509Svid(publicKey: PublicKey): Promise<IssuedX509Svid>;
  /** The chain is the new CA's certificate, then what lies between it and the root. */
  downstreamX509Ca(request: DownstreamX509CaRequest): Promise<IssuedX509Svid>;
  workloadJwtSvid(request: JwtSvidRequest): Promise<IssuedJwtSvid>;
  workloadWitSvid(request: WitSvidRequest): Promise<IssuedJwtSvid>;
}
