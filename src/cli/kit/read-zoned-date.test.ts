import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkZonedDate } from './read-zoned-date.ts';

for (const text of [
  '2026-03-01 10:00:00 +0000 +00',
  '2024-02-29 23:59:59 -0330 -03',
  '2000-01-01 00:00:00.25 +0000 +00',
]) {
  test(`accepts ${text}`, () => {
    checkZonedDate(text);
  });
}

const LAYOUT = '2006-01-02 15:04:05 -0700 -07';
const refusals: readonly [text: string, message: string][] = [
  ['x', `parsing time "x" as "${LAYOUT}": cannot parse "x" as "2006"`],
  ['2000-01-01', `parsing time "2000-01-01" as "${LAYOUT}": cannot parse "" as "15"`],
  ['2001-13-05', 'parsing time "2001-13-05": month out of range'],
  [
    '2001-02-29 00:00:00 +0000 +00',
    'parsing time "2001-02-29 00:00:00 +0000 +00": day out of range',
  ],
  [
    '2001-02-03 24:00:00 +0000 +00',
    'parsing time "2001-02-03 24:00:00 +0000 +00": hour out of range',
  ],
  [
    '2001-02-03 10:00:00 UTC',
    `parsing time "2001-02-03 10:00:00 UTC" as "${LAYOUT}": cannot parse "UTC" as "-0700"`,
  ],
  [
    '2001-02-03 10:00:00 +0000 +00 x',
    'parsing time "2001-02-03 10:00:00 +0000 +00 x": extra text: " x"',
  ],
];
for (const [text, message] of refusals) {
  test(`refuses ${text}`, () => {
    assert.throws(
      () => {
        checkZonedDate(text);
      },
      { kind: 'invalid', message },
    );
  });
}
