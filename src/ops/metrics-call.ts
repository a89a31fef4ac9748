import { kindOf } from '../base/fault.ts';
import { monotonicMilliseconds } from '../base/monotonic.ts';
import { type MetricLabels, type Metrics, noMetrics } from './metrics.ts';
import { STATUS_OK, statusNames } from './status-names.ts';

/** Parts of a call's key. One array for all its calls, where that can be, is the fastest. */
type Key = readonly string[];

/**
 * A call counter of SPIRE's (`reference/server.md` §12): runs the task, then adds one to `key` and its time in
 * milliseconds to `key.elapsed_time`, both with the label `status`. Throws what the task throws.
 */
export async function timedCall<T>(
  metrics: Metrics,
  key: Key,
  task: () => Promise<T>,
  labels?: MetricLabels,
): Promise<T> {
  if (metrics === noMetrics) return task();
  const end = startCall(metrics, key, labels);
  try {
    const result = await task();
    end();
    return result;
  } catch (error) {
    end(error);
    throw error;
  }
}

/** The same for calls that are no promise: the function returned ends the call, with what it threw if it failed. */
export function startCall(
  metrics: Metrics,
  key: Key,
  labels?: MetricLabels,
): (thrown?: unknown) => void {
  if (metrics === noMetrics) return ended;
  const since = monotonicMilliseconds();
  return (thrown) => {
    const status = thrown === undefined ? STATUS_OK : statusNames[kindOf(thrown)];
    const all = labels === undefined ? { status } : { ...labels, status };
    metrics.counter(key, 1, all);
    metrics.sample(elapsedTimeOf(key), monotonicMilliseconds() - since, all);
  };
}

const ended = (): void => {};

const elapsedTimeKeys = new WeakMap<Key, Key>();

function elapsedTimeOf(key: Key): Key {
  let timed = elapsedTimeKeys.get(key);
  if (timed === undefined) {
    timed = [...key, 'elapsed_time'];
    elapsedTimeKeys.set(key, timed);
  }
  return timed;
}
