import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rfc3339 } from './rfc3339.ts';

/** Runs in another zone, and puts the former one back. */
function inZone<T>(zone: string, run: () => T): T {
  const former = process.env.TZ;
  process.env.TZ = zone;
  try {
    return run();
  } finally {
    if (former === undefined) delete process.env.TZ;
    else process.env.TZ = former;
  }
}

const cases: readonly [zone: string, time: string, fraction: boolean, expected: string][] = [
  ['UTC', '2026-03-01T10:00:00.000Z', false, '2026-03-01T10:00:00Z'],
  ['UTC', '2026-03-01T10:00:00.120Z', false, '2026-03-01T10:00:00Z'],
  ['UTC', '2026-03-01T10:00:00.120Z', true, '2026-03-01T10:00:00.12Z'],
  ['UTC', '2026-03-01T10:00:00.000Z', true, '2026-03-01T10:00:00Z'],
  ['Europe/Berlin', '2026-03-01T23:30:00.005Z', true, '2026-03-02T00:30:00.005+01:00'],
  ['Europe/Berlin', '2026-07-01T10:00:00.000Z', false, '2026-07-01T12:00:00+02:00'],
  ['America/St_Johns', '2026-01-01T00:00:00.000Z', false, '2025-12-31T20:30:00-03:30'],
];
for (const [zone, time, fraction, expected] of cases) {
  test(`${time} in ${zone}${fraction ? ' with its fraction' : ''} is ${expected}`, () => {
    assert.equal(
      inZone(zone, () => rfc3339(Date.parse(time), { fraction })),
      expected,
    );
  });
}

test('reads back as the same moment, in any zone', () => {
  const zones = fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Apia');
  const times = fc.integer({ min: 0, max: Date.UTC(2100) });
  fc.assert(
    fc.property(zones, times, (zone, time) => {
      assert.equal(
        inZone(zone, () => Date.parse(rfc3339(time, { fraction: true }))),
        time,
      );
    }),
  );
});
