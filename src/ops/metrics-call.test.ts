import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../base/fault.ts';
import type { MetricLabels, Metrics } from './metrics.ts';
import { noMetrics } from './metrics.ts';
import { startCall, timedCall } from './metrics-call.ts';

function recording() {
  const told: { kind: string; key: string; value: number; labels: MetricLabels | undefined }[] = [];
  const record = (kind: string) => (key: readonly string[], value: number, labels?: MetricLabels) =>
    told.push({ kind, key: key.join('.'), value, labels });
  const metrics: Metrics = {
    counter: record('counter'),
    gauge: record('gauge'),
    sample: record('sample'),
  };
  return { metrics, told };
}

test('a call counts once and tells its time, with its status after its own labels', async () => {
  const { metrics, told } = recording();
  assert.equal(await timedCall(metrics, ['a', 'b'], async () => 7, { attestor: 'x' }), 7);
  assert.deepEqual(
    told.map(({ kind, key, labels }) => [kind, key, Object.entries(labels ?? {})]),
    [
      [
        'counter',
        'a.b',
        [
          ['attestor', 'x'],
          ['status', 'OK'],
        ],
      ],
      [
        'sample',
        'a.b.elapsed_time',
        [
          ['attestor', 'x'],
          ['status', 'OK'],
        ],
      ],
    ],
  );
  assert.equal(told[0]?.value, 1);
  assert.ok((told[1]?.value ?? -1) >= 0);
});

for (const [thrown, status] of [
  [new Fault('not-found', 'no'), 'NotFound'],
  [new Fault('failed-precondition', 'no'), 'FailedPrecondition'],
  [new Error('a bug'), 'Unknown'],
] as const) {
  test(`a call that throws ${String(thrown)} has the status ${status}`, async () => {
    const { metrics, told } = recording();
    const call = timedCall(metrics, ['a'], () => Promise.reject(thrown));
    await assert.rejects(call, thrown);
    assert.deepEqual(
      told.map(({ labels }) => labels),
      [{ status }, { status }],
    );
  });
}

test('a call that ends by hand is told the same', () => {
  const { metrics, told } = recording();
  startCall(metrics, ['a'])(new Fault('denied', 'no'));
  assert.deepEqual(told[0]?.labels, { status: 'PermissionDenied' });
});

test('nothing is paid for without metrics', async () => {
  assert.equal(await timedCall(noMetrics, ['a'], async () => 1), 1);
  assert.equal(startCall(noMetrics, ['a']), startCall(noMetrics, ['b']));
});
