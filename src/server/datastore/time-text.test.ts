import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTimeText, timeText } from './time-text.ts';

function inZone<T>(zone: string, act: () => T): T {
  const before = process.env['TZ'];
  process.env['TZ'] = zone;
  try {
    return act();
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
}

const written: readonly [zone: string, milliseconds: number, text: string][] = [
  ['UTC', Date.UTC(2026, 10, 23, 23, 45, 7, 151), '2026-11-23 23:45:07.151+00:00'],
  ['UTC', Date.UTC(2026, 10, 23, 23, 45, 7, 150), '2026-11-23 23:45:07.15+00:00'],
  ['UTC', Date.UTC(2026, 10, 23, 23, 45, 7, 100), '2026-11-23 23:45:07.1+00:00'],
  ['UTC', Date.UTC(2041, 10, 19, 23, 45, 7), '2041-11-19 23:45:07+00:00'],
  ['UTC', Date.UTC(2041, 10, 20, 10, 20, 0), '2041-11-20 10:20:00+00:00'],
  ['Europe/Berlin', Date.UTC(2026, 10, 23, 23, 45, 7), '2026-11-24 00:45:07+01:00'],
  ['America/St_Johns', Date.UTC(2026, 10, 23, 0, 0, 0), '2026-11-22 20:30:00-03:30'],
];
for (const [zone, milliseconds, text] of written) {
  test(`in ${zone} a moment is written as ${text}`, () => {
    assert.equal(
      inZone(zone, () => timeText(milliseconds)),
      text,
    );
  });
}

const read: readonly [text: string | number, seconds: number][] = [
  ['2026-11-23 23:45:06.392014124+00:00', Date.UTC(2026, 10, 23, 23, 45, 6) / 1000 + 0.392014124],
  ['2026-11-24 00:45:06+01:00', Date.UTC(2026, 10, 23, 23, 45, 6) / 1000],
  ['2026-11-23 20:15:06-03:30', Date.UTC(2026, 10, 23, 23, 45, 6) / 1000],
  ['2026-11-23T23:45:06Z', Date.UTC(2026, 10, 23, 23, 45, 6) / 1000],
  ['2026-11-23 23:45:06', Date.UTC(2026, 10, 23, 23, 45, 6) / 1000],
  ['2026-11-23 23:45', Date.UTC(2026, 10, 23, 23, 45) / 1000],
  [1_795_477_506, 1_795_477_506],
];
for (const [text, seconds] of read) {
  test(`reads ${text}`, () => assert.equal(readTimeText(text), seconds));
}

for (const text of ['', 'never', '2026-11-23', '2026-11-23 23:45:06+0100', '23:45:06']) {
  test(`refuses "${text}"`, () => {
    assert.throws(() => readTimeText(text), {
      kind: 'invalid',
      message: `malformed time "${text}"`,
    });
  });
}

test('what is written is read back, in any zone', () => {
  const zones = fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/New_York', 'Pacific/Apia');
  fc.assert(
    fc.property(zones, fc.integer({ min: 0, max: 4_102_444_800_000 }), (zone, milliseconds) => {
      const seconds = readTimeText(inZone(zone, () => timeText(milliseconds)));
      assert.equal(Math.round(seconds * 1000), milliseconds);
    }),
  );
});
