import assert from 'node:assert/strict';
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

/** The statuses that a call's counter was given, each of which has its time too. */
export function statusesOf(
  emitted: readonly Emitted[],
  key: string,
): readonly (string | undefined)[] {
  const of = (kind: string, name: string) =>
    emitted
      .filter(([emittedKind, emittedName]) => emittedKind === kind && emittedName === name)
      .map(([, , , labels]) => labels?.['status']);
  const counted = of('counter', key);
  assert.deepEqual(of('sample', `${key}.elapsed_time`), counted);
  return counted;
}
