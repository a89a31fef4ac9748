import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goTimeText } from './go-time.ts';

const rows: readonly (readonly [string, string, string])[] = [
  ['UTC', '2026-03-01T10:00:00Z', '2026-03-01 10:00:00 +0000 UTC'],
  ['UTC', '2026-03-01T10:00:00.120Z', '2026-03-01 10:00:00.12 +0000 UTC'],
  ['Europe/London', '2026-03-01T10:00:00Z', '2026-03-01 10:00:00 +0000 GMT'],
  ['Europe/London', '2026-07-01T10:00:00Z', '2026-07-01 11:00:00 +0100 BST'],
  ['Europe/Berlin', '2026-03-01T10:00:00Z', '2026-03-01 11:00:00 +0100 CET'],
  ['Europe/Berlin', '2026-07-01T10:00:00Z', '2026-07-01 12:00:00 +0200 CEST'],
  ['America/New_York', '2026-03-01T02:00:00Z', '2026-02-28 21:00:00 -0500 EST'],
  ['Asia/Kolkata', '2026-03-01T10:00:00Z', '2026-03-01 15:30:00 +0530 IST'],
  ['Asia/Kathmandu', '2026-03-01T10:00:00Z', '2026-03-01 15:45:00 +0545 +0545'],
];
for (const [zone, time, shown] of rows) {
  test(`in ${zone}, ${time} prints as ${shown}`, (t) => {
    const before = process.env['TZ'];
    t.after(() => {
      if (before === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before;
    });
    process.env['TZ'] = zone;
    assert.equal(goTimeText(new Date(time)), shown);
  });
}
