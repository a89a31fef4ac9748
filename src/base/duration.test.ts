import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGoDuration, parseGoDuration } from './duration.ts';

const SECOND = 1_000_000_000n;

const accepted: readonly (readonly [string, bigint])[] = [
  ['0', 0n],
  ['-0', 0n],
  ['5s', 5n * SECOND],
  ['1h30m', 5400n * SECOND],
  ['-1.5h', -5400n * SECOND],
  ['+5s', 5n * SECOND],
  ['.5s', SECOND / 2n],
  ['1.s', SECOND],
  ['300ms', 300_000_000n],
  ['12µs', 12_000n],
  ['12μs', 12_000n],
  ['1us1ns', 1001n],
  ['39h9m14.425s', 140_954_425_000_000n],
  ['9223372036854775807ns', 9_223_372_036_854_775_807n],
  ['-9223372036854775808ns', -9_223_372_036_854_775_808n],
];
for (const [text, nanoseconds] of accepted) {
  test(`${text} is a duration`, () => {
    assert.equal(parseGoDuration(text), nanoseconds);
  });
}

const refused: readonly (readonly [string, string])[] = [
  ['', 'time: invalid duration ""'],
  ['3', 'time: missing unit in duration "3"'],
  ['-', 'time: invalid duration "-"'],
  ['s', 'time: invalid duration "s"'],
  ['.', 'time: invalid duration "."'],
  ['-.s', 'time: invalid duration "-.s"'],
  ['+-5s', 'time: invalid duration "+-5s"'],
  ['1 day', 'time: unknown unit " day" in duration "1 day"'],
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['1h 2m', 'time: unknown unit "h " in duration "1h 2m"'],
  ['"1\\é', 'time: invalid duration "\\"1\\\\\\xc3\\xa9"'],
  ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
  ['9999999h', 'time: invalid duration "9999999h"'],
];
for (const [text, message] of refused) {
  test(`${JSON.stringify(text)} is no duration`, () => {
    assert.throws(() => parseGoDuration(text), { kind: 'invalid', message });
  });
}

const printed: readonly (readonly [bigint, string])[] = [
  [0n, '0s'],
  [1n, '1ns'],
  [1100n, '1.1µs'],
  [2_200_000n, '2.2ms'],
  [3_300_000_000n, '3.3s'],
  [245n * SECOND + 5_000_000n, '4m5.005s'],
  [3600n * SECOND, '1h0m0s'],
  [-86_400n * SECOND, '-24h0m0s'],
];
for (const [nanoseconds, text] of printed) {
  test(`${nanoseconds} ns print as ${text}`, () => {
    assert.equal(formatGoDuration(nanoseconds), text);
  });
}

test('what is printed is read as the same duration', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanoseconds) => {
      assert.equal(parseGoDuration(formatGoDuration(nanoseconds)), nanoseconds);
    }),
  );
});

test('no text does anything but parse or be refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        parseGoDuration(text);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
});
