import type { AuthorizedEntry } from './authorized-entry.ts';
import type { BundleList, BundleSubscription } from './cache/bundle-news.ts';
import type { Subscription } from './cache/subscriber.ts';
import type { WorkloadUpdate } from './cache/workload-update.ts';

/**
 * What the local APIs may hand out. Workloads are told apart by the texts of their selectors (`type:value`); an
 * entry applies when each of its selectors is in the set.
 */
export interface Identities {
  /**
   * News of these selectors' identities, until disposed. The first is there as soon as every matching entry has its
   * SVID, at once if there is no such entry.
   */
  subscribe(selectors: ReadonlySet<string>): Subscription;
  /** What there is now. Waits for nothing, and does not count as use of the SVIDs. */
  latest(selectors: ReadonlySet<string>): WorkloadUpdate;
  /** The matching entries, ascending by ID, whether or not their X.509-SVIDs are there. */
  matchingEntries(selectors: ReadonlySet<string>): readonly AuthorizedEntry[];
  /**
   * To be awaited for a caller before it is told that it has no identity: if no entry matches, its entry may be news to
   * this agent, and the server is asked. Resolves when the answer is there, or after half a second, or at once where the
   * server cannot be asked now; rejects with the signal's reason when it aborts first.
   */
  awaitEntry(selectors: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
  /** All bundles that the agent holds, whoever's they are; and news of them until disposed. */
  subscribeBundles(): BundleSubscription;
  bundles(): BundleList;
  /**
   * A token of that entry for these audiences, from the cache while it is fresh. Throws a Fault with SPIRE's words
   * when none can be had; rejects with the signal's reason when it aborts first.
   */
  fetchJwtSvid(
    entry: Pick<AuthorizedEntry, 'id' | 'spiffeId'>,
    audience: readonly string[],
    signal: AbortSignal,
  ): Promise<JwtSvid>;
  /** The same of a WIT-SVID, which comes with the key that it is for. */
  fetchWitSvid(
    entry: Pick<AuthorizedEntry, 'id' | 'spiffeId'>,
    signal: AbortSignal,
  ): Promise<WitSvid>;
}

export type WitSvid = JwtSvid & {
  /** The private key as JWK text. */
  readonly key: string;
};

export type JwtSvid = {
  readonly token: string;
  /** Unix seconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
};
