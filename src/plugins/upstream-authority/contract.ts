import type { KeyAuthority, X509Authority } from '../../spiffe/bundle.ts';

export type MintX509CaRequest = {
  /** PKCS#10 DER: the server's new key, its subject, and the trust domain's ID as the one URI. */
  readonly csr: Uint8Array;
  /** What is asked for; the authority may give less or more. 0: its choice. */
  readonly ttlSeconds: number;
  /**
   * Whether to wait for what the authority itself depends on for as long as that takes, since nothing can be signed
   * before; otherwise the call fails soon, and is made again later.
   */
  readonly patient: boolean;
  /** Ends the call, and later the updates. */
  readonly signal: AbortSignal;
};

/**
 * What follows a first answer, each time the whole set. It ends when no more will come, and throws if it breaks; it
 * must be read to its end, or its signal aborted.
 */
export type Updates<T> = AsyncIterable<T>;

/** What an authority says; nobody has checked it yet. */
export type MintedX509Ca = {
  /** DER: the new CA's certificate first, then what lies between it and the root, which is left out. */
  readonly x509CaChain: readonly Uint8Array[];
  /** The roots to trust. One whose key is no longer to be trusted is tainted. */
  readonly upstreamRoots: readonly X509Authority[];
  readonly updates: Updates<readonly X509Authority[]>;
};

export type PublishedJwtKeys = {
  /** All JWT keys of the trust domain, as far as the authority knows them. */
  readonly jwtKeys: readonly KeyAuthority[];
  readonly updates: Updates<readonly KeyAuthority[]>;
};

export type LocalBundle = {
  readonly x509Authorities: readonly X509Authority[];
  readonly jwtKeys: readonly KeyAuthority[];
};

export type LocalBundleSubscription = {
  readonly bundle: LocalBundle;
  readonly updates: Updates<LocalBundle>;
};

/**
 * Signs the certificate authorities of this trust domain's servers, which are then intermediate ones
 * (`reference/authorities-and-publishers.md` §A1). Calls may overlap. Every failure is a Fault that says
 * `upstreamauthority(<name>): ` first; an aborted signal rejects with its reason.
 */
export interface UpstreamAuthority extends AsyncDisposable {
  readonly name: string;
  mintX509Ca(request: MintX509CaRequest): Promise<MintedX509Ca>;
  /** Makes a key known to the whole trust domain. Throws 'unimplemented' where JWT keys are not the authority's business. */
  publishJwtKey(key: KeyAuthority, signal: AbortSignal): Promise<PublishedJwtKeys>;
  /** What the authority knows of this trust domain's bundle. Throws 'unimplemented' if it knows none. */
  subscribeToLocalBundle(signal: AbortSignal): Promise<LocalBundleSubscription>;
}
