import type { Metrics } from '../../ops/metrics.ts';

const ADDED = ['lru_cache_entry_add'];
const UPDATED = ['lru_cache_entry_update'];
const REMOVED = ['lru_cache_entry_remove'];
const ENTRIES = ['lru_cache_record_map_size'];
const SVIDS = ['lru_cache_svid_map_size'];
const EXPIRING = ['cache_manager', 'expiring_svids'];
const OUTDATED = ['cache_manager', 'outdated_svids'];
const X509 = { svid_type: 'X509' };

export type CacheChanges = {
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
  /** SVIDs that are to be renewed. */
  readonly expiring: number;
  /** Entries whose SVID no longer says what they say. */
  readonly outdated: number;
};

export type CacheSizes = { readonly entryCount: number; readonly svidCount: number };

/** What a synchronisation changed in the cache (`reference/agent.md` §7). */
export function tellCacheChanges(metrics: Metrics, changes: CacheChanges): void {
  metrics.counter(ADDED, changes.added);
  metrics.counter(UPDATED, changes.updated);
  metrics.counter(REMOVED, changes.removed);
  if (changes.expiring > 0) metrics.sample(EXPIRING, changes.expiring);
  if (changes.outdated > 0) metrics.sample(OUTDATED, changes.outdated);
}

export function tellCacheSizes(metrics: Metrics, { entryCount, svidCount }: CacheSizes): void {
  metrics.gauge(ENTRIES, entryCount, X509);
  metrics.gauge(SVIDS, svidCount, X509);
}
