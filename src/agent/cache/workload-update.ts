import type { Bundle } from '../../spiffe/bundle.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';

/** An X.509-SVID with its key, as bytes: a thousand of these are kept, and objects cost ten times as much. */
export type X509Svid = {
  /** DER, leaf first, concatenated: as the Workload API sends it. */
  readonly chain: Uint8Array;
  /** PKCS#8 DER, unencrypted. */
  readonly privateKey: Uint8Array;
  /** Unix seconds, of the leaf. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type Identity = { readonly entry: AuthorizedEntry; readonly svid: X509Svid };

/**
 * What a workload may know now. Workloads with the same identities are given the same object, so that what is derived
 * from it can be kept beside it.
 */
export type WorkloadUpdate = {
  /** Ascending by entry ID; entries without an SVID yet are left out. */
  readonly identities: readonly Identity[];
  /** The own trust domain's. */
  readonly bundle: Bundle;
  /** Those that an identity names, ascending by trust domain. */
  readonly federatedBundles: readonly Bundle[];
};
