import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activateTime, noticeTime, prepareTime } from './thresholds.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

for (const [lifetime, preparedBefore, activatedBefore, why] of [
  [MINUTE, 30, 10, 'a minute: half and a sixth of it'],
  [DAY, 12 * HOUR, 4 * HOUR, 'the default'],
  [42 * DAY, 21 * DAY, 7 * DAY, 'where the bound of activation begins'],
  [60 * DAY, 30 * DAY, 7 * DAY, 'where the bound of preparation begins'],
  [10_950 * DAY, 30 * DAY, 7 * DAY, 'decades: the bounds'],
] as const) {
  test(`a successor is prepared and activated in time: ${why}`, () => {
    const life = { issuedAt: 1000, notAfter: 1000 + lifetime };
    assert.equal(life.notAfter - prepareTime(life), preparedBefore);
    assert.equal(life.notAfter - activateTime(life), activatedBefore);
  });
}

for (const [why, lifetime, madeBeforeEnd, waits] of [
  ['a life of a day', DAY, HOUR, 5 * MINUTE],
  ['a life of a minute', MINUTE, 30, 5],
  ['where the end is near', DAY, 8 * MINUTE, 4 * MINUTE],
  ['where the end is not so near', DAY, 10 * MINUTE, 5 * MINUTE],
] as const) {
  test(`a successor that was made late waits: ${why}`, () => {
    const current = { issuedAt: 1000, notAfter: 1000 + lifetime };
    const issuedAt = current.notAfter - madeBeforeEnd;
    assert.equal(noticeTime(current, { issuedAt }) - issuedAt, waits);
  });
}
