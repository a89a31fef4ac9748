import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpiresBefore } from './expires-before.ts';

const at = Date.UTC(2030, 0, 2, 15, 4, 5) / 1000;

const times: [text: string, unixSeconds: number][] = [
  ['2030-01-02 15:04:05 +0000 +00', at],
  ['2030-01-02 15:04:05 +0200 +00', at],
  ['2030-01-02 15:04:05 +0000 +02', at - 7200],
  ['2030-01-02 15:04:05 -0700 -07', at + 7 * 3600],
  ['2030-01-02 15:04:05.000 +0000 +00', at],
  ['2030-01-02 15:04:05.25 +0000 +00', at + 1],
  ['2030-01-02 9:04:05 +0000 +00', at - 6 * 3600],
];
for (const [text, unixSeconds] of times) {
  test(`reads ${text}`, () => {
    assert.equal(parseExpiresBefore(text), unixSeconds);
  });
}

const unreadable = [
  '',
  'tomorrow',
  '2030-01-02',
  '2030-01-02 15:04:05',
  '2030-01-02 15:04:05 +0000',
  '2030-01-02T15:04:05Z',
  '2030-02-30 15:04:05 +0000 +00',
  '2030-13-01 15:04:05 +0000 +00',
  '2030-01-02 25:04:05 +0000 +00',
  '2030-01-02 24:00:00 +0000 +00',
  '2030-01-02 15:04:05 +0000 +99',
];
for (const text of unreadable) {
  test(`ignores "${text}"`, () => {
    assert.equal(parseExpiresBefore(text), undefined);
  });
}
