import type { Clock } from '../../base/clock.ts';
import { repeat } from '../../base/repeat.ts';
import type { Metrics } from '../metrics.ts';

const INTERVAL_MILLISECONDS = 10_000;
const KEY = ['uptime_in_ms'];

/** The gauge `uptime_in_ms`, at once and every ten seconds. */
export function watchUptime(metrics: Metrics, clock: Clock): AsyncDisposable {
  const startedAt = clock.now();
  const stop = new AbortController();
  const tell = async () => {
    metrics.gauge(KEY, clock.now() - startedAt);
  };
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
