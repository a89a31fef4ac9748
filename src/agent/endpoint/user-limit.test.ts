import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { UserLimit } from './user-limit.ts';

function limitOf(max: number) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  return {
    clock,
    lines,
    limit: new UserLimit({ max, complaint: 'Too many', clock, log: recordingLog(lines) }),
  };
}

test('each user has so many, whatever others hold, and gets one back with each that ends', () => {
  const { limit } = limitOf(2);
  assert.deepEqual(
    [1, 1, 1, 2, 2, 2].map((uid) => limit.acquire(uid)),
    [true, true, false, true, true, false],
  );
  limit.release(1);
  assert.deepEqual(
    [1, 1, 2].map((uid) => limit.acquire(uid)),
    [true, false, false],
  );
});

test('amounts are counted as well as pieces', () => {
  const { limit } = limitOf(10);
  assert.deepEqual(
    [6, 5, 4, 1].map((amount) => limit.acquire(1, amount)),
    [true, false, true, false],
  );
  limit.release(1, 6);
  assert.ok(limit.acquire(1, 6));
});

test('a user who is turned away is told of at once, and then each minute', async () => {
  const { limit, lines, clock } = limitOf(1);
  for (let tries = 0; tries < 5; tries++) limit.acquire(7);
  assert.deepEqual(
    lines.map(({ fields }) => fields),
    [{ uid: 7, held: 1, refused: 1 }],
  );
  await clock.advance({ seconds: 60 });
  limit.acquire(7);
  assert.deepEqual(lines[1]?.fields, { uid: 7, held: 1, refused: 5 });
});

test('nothing is kept of users who have left', () => {
  const { limit } = limitOf(1);
  limit.acquire(1);
  limit.release(1);
  limit.release(1);
  assert.deepEqual(
    [1, 1].map((uid) => limit.acquire(uid)),
    [true, false],
  );
});
