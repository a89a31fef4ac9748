import assert from 'node:assert/strict';
import { test } from 'node:test';
import { int32, secondsInt32 } from './int32.ts';

test('numbers of 32 bits pass', () => {
  for (const value of [0n, -5n, 2_147_483_647n, -2_147_483_648n]) {
    assert.equal(int32('TTL', value), Number(value));
  }
});

test('durations become seconds, rounded up', () => {
  const rows = [
    [0n, 0],
    [1n, 1],
    [1_000_000_000n, 1],
    [1_000_000_001n, 2],
    [-1n, 0],
    [-1_000_000_000n, 0],
    [-1_500_000_000n, 0],
    [-2_500_000_000n, -1],
    [-3_600_000_000_000n, -3599],
  ] as const;
  for (const [nanoseconds, seconds] of rows) {
    assert.equal(secondsInt32('TTL', nanoseconds), seconds);
  }
});

test('what does not fit is told as SPIRE tells it', () => {
  assert.throws(() => int32('X509 SVID TTL', 4_294_967_296n), {
    message: 'invalid value for X509 SVID TTL: overflow converting int(4294967296) to int32',
  });
  assert.throws(() => secondsInt32('TTL', 1_000_000n * 3_600_000_000_000n), {
    message: 'invalid value for TTL: overflow converting time.Duration(3.6s) to int32',
  });
});
