import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { ServerUpdates } from './fetch-updates.ts';
import type { X509SvidMinter } from './mint-x509-svids.ts';

const FETCH_ENTRIES = ['manager', 'sync', 'fetch_entries_updates'];
const FETCH_SVIDS = ['manager', 'sync', 'fetch_svids_updates'];
const BUNDLES_TOTAL = ['sync_bundles_total'];
const ENTRIES_TOTAL = ['sync_entries_total'];

/** Counts and times what a synchronisation asks the server for (`reference/agent.md` §7). */
export const countedFetch =
  (
    fetch: (signal: AbortSignal) => Promise<ServerUpdates>,
    metrics: Metrics,
  ): ((signal: AbortSignal) => Promise<ServerUpdates>) =>
  async (signal) => {
    const updates = await timedCall(metrics, FETCH_ENTRIES, () => fetch(signal));
    metrics.gauge(BUNDLES_TOTAL, updates.bundles.length);
    metrics.gauge(ENTRIES_TOTAL, updates.entries.length);
    return updates;
  };

export const countedMinter = (
  minter: Pick<X509SvidMinter, 'mint'>,
  metrics: Metrics,
): Pick<X509SvidMinter, 'mint'> => ({
  mint: (stale, signal) => timedCall(metrics, FETCH_SVIDS, () => minter.mint(stale, signal)),
});
