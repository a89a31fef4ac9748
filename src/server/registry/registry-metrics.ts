import type { Clock } from '../../base/clock.ts';
import { repeat } from '../../base/repeat.ts';
import { type Metrics, noMetrics } from '../../ops/metrics.ts';
import type { Registry } from './contract.ts';

const INTERVAL_MILLISECONDS = 5_000;
const ENTRIES = ['entry', 'entries_by_entryid_cache', 'count'];
const AGENTS = ['node', 'agents_by_id_cache', 'count'];

export type RegistrySizeDeps = {
  readonly entries: Pick<Registry['entries'], 'rows'>;
  readonly agents: Pick<Registry['agents'], 'rows'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
};

/**
 * How many entries and agents are in memory: the gauges that SPIRE has where its caches follow events
 * (`reference/server.md` §12), which ours always does. The others of that row are about indexes of SPIRE's own.
 */
export function watchRegistrySize(deps: RegistrySizeDeps): AsyncDisposable {
  const { metrics, clock } = deps;
  const stop = new AbortController();
  const tell = async () => {
    metrics.gauge(ENTRIES, deps.entries.rows().length);
    metrics.gauge(AGENTS, deps.agents.rows().length);
  };
  if (metrics === noMetrics) return { async [Symbol.asyncDispose]() {} };
  void tell();
  const milliseconds = INTERVAL_MILLISECONDS;
  const loop = repeat({ clock, signal: stop.signal, milliseconds }, tell);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
