/** An X.509-SVID as it goes to a store, with all that its user needs. */
export type SvidToStore = {
  readonly spiffeId: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER, unencrypted. */
  readonly privateKey: Uint8Array;
  /** X.509 authorities of the own trust domain, DER. */
  readonly bundle: readonly Uint8Array[];
  /** Unix seconds, of the leaf. */
  readonly expiresAt: number;
  /** X.509 authorities (DER) of other trust domains, by trust domain ID (`spiffe://...`). */
  readonly federatedBundles: ReadonlyMap<string, readonly Uint8Array[]>;
};

/**
 * Keeps X.509-SVIDs where their users fetch them without an agent (`reference/authorities-and-publishers.md` §E1). The
 * metadata say where: the values of the entry's selectors. Calls do not overlap. Every failure is a Fault that says
 * `svidstore(<name>): ` first; an aborted signal rejects with its reason.
 */
export interface SvidStore extends AsyncDisposable {
  readonly name: string;
  /** Takes the place of what is there. Durable when it resolves. Throws 'invalid' for metadata that name no place. */
  put(svid: SvidToStore, metadata: readonly string[], signal: AbortSignal): Promise<void>;
  /** Where nothing is, nothing happens. Throws 'invalid' for metadata that name no place: nothing can be there. */
  delete(metadata: readonly string[], signal: AbortSignal): Promise<void>;
}
