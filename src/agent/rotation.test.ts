import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isExpired, isPastHalfLife, isX509RotationDue, targetFits } from './rotation.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

describe('X.509 rotation', () => {
  const cases: readonly [
    why: string,
    ttl: number,
    left: number,
    target: number,
    random: number,
    due: boolean,
  ][] = [
    ['an expired SVID', HOUR, 0, 0, 0.5, true],
    ['a long expired SVID', HOUR, -DAY, 0, 0.5, true],
    ['a fresh SVID', HOUR, HOUR, 0, 0.999, false],
    ['half of the lifetime, no jitter', HOUR, HOUR / 2, 0, 0.5, true],
    ['just over half, no jitter', HOUR, HOUR / 2 + 1, 0, 0.5, false],
    ['the earliest jitter, 55 % left', HOUR, 0.55 * HOUR - 1, 0, 0.999_999, true],
    ['the latest jitter, 46 % left', HOUR, 0.46 * HOUR, 0, 0, false],
    ['the latest jitter, 45 % left', HOUR, 0.45 * HOUR, 0, 0, true],
    ['a target reached', 3 * DAY, 2 * DAY, 2 * DAY, 0, true],
    ['a target reached by its jitter', 3 * DAY, 2 * DAY + 599, 2 * DAY, 0.999, true],
    ['a target not reached', 3 * DAY, 2 * DAY + 601, 2 * DAY, 0.999, false],
    ['a target that the lifetime cannot keep', DAY + 12 * HOUR, DAY, DAY, 0, false],
    ['the half-life under a target', 4 * DAY, 1.7 * DAY, DAY, 0, true],
  ];
  for (const [why, ttl, left, target, random, due] of cases) {
    test(`${why}: ${due ? 'due' : 'not due'}`, () => {
      const life = { notBefore: 1000, notAfter: 1000 + ttl };
      const rule = { availabilityTargetSeconds: target, random: () => random };
      assert.equal(isX509RotationDue(life, life.notAfter - left, rule), due);
    });
  }
});

test('without a target both rules agree, and the bounds hold for any draw', () => {
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 10 * DAY }),
      fc.nat(10 * DAY),
      draw,
      (ttl, age, random) => {
        const life = { notBefore: 0, notAfter: ttl };
        const due = isPastHalfLife(life, age, () => random);
        const rule = { availabilityTargetSeconds: 0, random: () => random };
        assert.equal(isX509RotationDue(life, age, rule), due);
        const left = ttl - age;
        if (left <= 0.45 * ttl) assert.ok(due);
        if (left > 0.55 * ttl) assert.ok(!due);
      },
    ),
  );
});

test('a target fits when more than twelve hours are left beside it', () => {
  assert.ok(targetFits({ notBefore: 0, notAfter: DAY + 12 * HOUR + 1 }, DAY));
  assert.ok(!targetFits({ notBefore: 0, notAfter: DAY + 12 * HOUR }, DAY));
});

test('what ends now has expired', () => {
  assert.ok(isExpired({ notAfter: 10 }, 10));
  assert.ok(!isExpired({ notAfter: 10 }, 9));
});
