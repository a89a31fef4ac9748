import type { TrustDomain } from '../../spiffe/trust-domain.ts';

/** Keeps the bundles of the trust domains that this server federates with up to date (`reference/server.md` §10.3). */
export interface BundleManager {
  /** Takes up what changed of the relationships soon; never throws. */
  relationshipsChanged(): void;
  /**
   * Fetches the bundle of a trust domain now, and resolves when it is stored: with false if there is no relationship
   * with it. Throws what the fetch throws; the stored bundle stays then.
   */
  refresh(trustDomain: TrustDomain, signal: AbortSignal): Promise<boolean>;
}
