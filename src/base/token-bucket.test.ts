import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.ts';

const NEVER = Number.POSITIVE_INFINITY;

test('a full bucket gives its burst at once', () => {
  const bucket = new TokenBucket(10, 10, 0);
  assert.equal(bucket.take(10, 0, NEVER), 0);
});

test('who comes later waits for what those before have taken', () => {
  const bucket = new TokenBucket(10, 10, 0);
  bucket.take(10, 0, NEVER);
  assert.equal(bucket.take(1, 0, NEVER), 100);
  assert.equal(bucket.take(2, 0, NEVER), 300);
  assert.equal(bucket.take(1, 200, NEVER), 200);
});

test('it fills up to its burst only', () => {
  const bucket = new TokenBucket(10, 10, 0);
  bucket.take(10, 0, NEVER);
  assert.equal(bucket.take(10, 60_000, NEVER), 0);
  assert.equal(bucket.take(1, 60_000, NEVER), 100);
});

test('too long a wait takes nothing', () => {
  const bucket = new TokenBucket(10, 10, 0);
  bucket.take(10, 0, NEVER);
  assert.equal(bucket.take(5, 0, 499), undefined);
  assert.equal(bucket.take(5, 0, 500), 500);
});

test('what is given back can be taken', () => {
  const bucket = new TokenBucket(10, 10, 0);
  bucket.take(10, 0, NEVER);
  bucket.take(5, 0, NEVER);
  bucket.giveBack(5);
  assert.equal(bucket.take(1, 0, NEVER), 100);
});

test('a clock that is set back gives nothing away, and the bucket fills from there', () => {
  const bucket = new TokenBucket(10, 10, 3_600_000);
  bucket.take(10, 3_600_000, NEVER);
  assert.equal(bucket.take(1, 0, NEVER), 100);
  assert.equal(bucket.take(1, 200, NEVER), 0);
  assert.equal(bucket.take(10, 1200, NEVER), 0);
});

test('never gives more than burst and rate allow', () => {
  const steps = fc.array(fc.record({ after: fc.nat(500), count: fc.integer({ min: 1, max: 10 }) }));
  fc.assert(
    fc.property(steps, (calls) => {
      const bucket = new TokenBucket(10, 10, 0);
      let now = 0;
      let given = 0;
      for (const { after, count } of calls) {
        now += after;
        const wait = bucket.take(count, now, NEVER) ?? Number.NaN;
        given += count;
        assert.ok(given <= 10 + ((now + wait) * 10) / 1000 + 1e-6);
      }
    }),
  );
});
