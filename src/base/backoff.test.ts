import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { createBackoff } from './backoff.ts';

const rule = { initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0 };

test('waits grow by the multiplier up to the limit', () => {
  const backoff = createBackoff({ ...rule, clock: new VirtualClock(), random: () => 0.5 });
  const waits = Array.from({ length: 6 }, () => backoff.next());
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000]);
});

test('after a reset they start anew', () => {
  const backoff = createBackoff({ ...rule, clock: new VirtualClock(), random: () => 0.5 });
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

for (const [random, wait] of [
  [0, 50],
  [0.5, 100],
  [0.999, 149.9],
] as const) {
  test(`half of the wait is up to chance: ${random} gives ${wait}`, () => {
    const clock = new VirtualClock();
    const backoff = createBackoff({ ...rule, jitter: 0.5, clock, random: () => random });
    assert.equal(Math.round((backoff.next() ?? 0) * 10) / 10, wait);
  });
}

test('gives up when the next wait would end too late', async () => {
  const clock = new VirtualClock();
  const backoff = createBackoff({ ...rule, maxElapsedMs: 250, clock, random: () => 0.5 });
  assert.equal(backoff.next(), 100);
  await clock.advance({ milliseconds: 50 });
  assert.equal(backoff.next(), 200);
  await clock.advance({ milliseconds: 1 });
  assert.equal(backoff.next(), undefined);
});
