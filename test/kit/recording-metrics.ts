import type { Metrics } from '../../src/ops/metrics.ts';

export type Emitted = readonly [
  kind: keyof Metrics,
  key: string,
  value: number,
  labels: Readonly<Record<string, string>>,
];

/** Metrics that end in a list. */
export function recordingMetrics(emitted: Emitted[]): Metrics {
  const record =
    (kind: keyof Metrics): Metrics['counter'] =>
    (key, value, labels = {}) => {
      emitted.push([kind, key.join('.'), value, labels]);
    };
  return { counter: record('counter'), gauge: record('gauge'), sample: record('sample') };
}
