import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Misses } from './misses.ts';
import { Round } from './round.ts';

const { signal } = new AbortController();
const stranger = new Set(['unix:uid:1']);

function world({ known = false } = {}) {
  const clock = new VirtualClock();
  const rounds: Round[] = [];
  const misses = new Misses({
    hasMatch: () => known,
    synchronizeSoon: () => {
      const round = new Round();
      rounds.push(round);
      return round;
    },
    intervalMilliseconds: 5000,
    clock,
  });
  return { clock, rounds, misses };
}

/** Whether a promise has settled by now. */
async function isOver(promise: Promise<unknown>, clock: VirtualClock): Promise<boolean> {
  let over = false;
  promise.then(
    () => (over = true),
    () => (over = true),
  );
  await clock.advance({ milliseconds: 0 });
  return over;
}

test('a caller whom an entry applies to does not wait, and nobody is asked', async () => {
  const { misses, rounds } = world({ known: true });
  await misses.awaitEntry(stranger, signal);
  assert.equal(rounds.length, 0);
});

test('nor does one without selectors', async () => {
  const { misses, rounds } = world();
  await misses.awaitEntry(new Set(), signal);
  assert.equal(rounds.length, 0);
});

test('another one waits until the server was asked', async () => {
  const { misses, rounds, clock } = world();
  const waiting = misses.awaitEntry(stranger, signal);
  assert.equal(await isOver(waiting, clock), false);
  rounds[0]?.end();
  await waiting;
  assert.equal(clock.sleepers, 0);
});

test('but not longer than half a second', async () => {
  const { misses, clock } = world();
  const waiting = misses.awaitEntry(stranger, signal);
  await clock.advance({ milliseconds: 499 });
  assert.equal(await isOver(waiting, clock), false);
  await clock.advance({ milliseconds: 1 });
  await waiting;
});

test('nor when it hangs up', async () => {
  const { misses, clock } = world();
  const caller = new AbortController();
  const waiting = misses.awaitEntry(stranger, caller.signal);
  caller.abort(new Error('gone'));
  await assert.rejects(waiting, { message: 'gone' });
  assert.equal(clock.sleepers, 0);
});

describe('the server is asked', () => {
  test('once for all who come before the question has gone out', async () => {
    const { misses, rounds } = world();
    const waiting = [misses.awaitEntry(stranger, signal), misses.awaitEntry(stranger, signal)];
    assert.equal(rounds.length, 1);
    rounds[0]?.end();
    await Promise.all(waiting);
  });

  test('again for one who comes after', async () => {
    const { misses, rounds } = world();
    const first = misses.awaitEntry(stranger, signal);
    rounds[0]?.begin();
    const second = misses.awaitEntry(stranger, signal);
    assert.equal(rounds.length, 2);
    for (const round of rounds) round.end();
    await Promise.all([first, second]);
  });

  const miss = async ({ misses, rounds }: ReturnType<typeof world>): Promise<number> => {
    const waiting = misses.awaitEntry(stranger, signal);
    for (const round of rounds) round.end();
    await waiting;
    return rounds.length;
  };

  test('not more often than four times in a row, then once in each interval', async () => {
    const agent = world();
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.rounds.length, 4);
    await agent.clock.advance({ seconds: 5 });
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.rounds.length, 5);
    await agent.clock.advance({ seconds: 3600 });
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.rounds.length, 9);
  });

  test('whatever becomes of the clock', async () => {
    const agent = world();
    for (let i = 0; i < 10; i++) await miss(agent);
    await agent.clock.advance({ seconds: -3600 });
    assert.equal(await miss(agent), 4);
    await agent.clock.advance({ seconds: 5 });
    assert.equal(await miss(agent), 5);
  });
});
