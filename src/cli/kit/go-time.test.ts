import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goUtcTimeText, goZonedTimeText, rfc3339Text } from './go-time.ts';

const rows: readonly [seconds: bigint, text: string][] = [
  [0n, '1970-01-01 00:00:00 +0000 UTC'],
  [-1n, '1969-12-31 23:59:59 +0000 UTC'],
  [1_772_359_200n, '2026-03-01 10:00:00 +0000 UTC'],
  [1_709_164_800n, '2024-02-29 00:00:00 +0000 UTC'],
  [4_102_444_800n, '2100-01-01 00:00:00 +0000 UTC'],
  [253_402_300_800n, '10000-01-01 00:00:00 +0000 UTC'],
  [-62_135_596_801n, '0000-12-31 23:59:59 +0000 UTC'],
  [2n ** 63n - 1n, '292277026596-12-04 15:30:07 +0000 UTC'],
];
for (const [seconds, text] of rows) {
  test(`${seconds} is ${text}`, () => {
    assert.equal(goUtcTimeText(seconds), text);
  });
}

test('agrees with Date wherever a Date can say it', () => {
  const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });
  fc.assert(
    fc.property(seconds, (at) => {
      const iso = new Date(at * 1000).toISOString().replace('.000', '');
      assert.equal(rfc3339Text(BigInt(at)), iso);
    }),
  );
});

const zoned: readonly [offset: number, name: string | undefined, text: string][] = [
  [3600, 'CET', '2026-03-01 11:00:00 +0100 CET'],
  [-10_800, undefined, '2026-03-01 07:00:00 -0300 -03'],
  [20_700, undefined, '2026-03-01 15:45:00 +0545 +0545'],
  [0, 'UTC', '2026-03-01 10:00:00 +0000 UTC'],
];
for (const [offset, name, text] of zoned) {
  test(`in its zone it is ${text}`, () => {
    assert.equal(goZonedTimeText(1_772_359_200n, offset, name), text);
  });
}
