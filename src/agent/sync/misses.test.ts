import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Misses } from './misses.ts';
import { Round } from './round.ts';

const { signal } = new AbortController();
const stranger = new Set(['unix:uid:1']);

/** Rounds that end when the test says so. */
function world() {
  const clock = new VirtualClock();
  let known = false;
  let asked = 0;
  let rounds = [new Round()];
  const misses = new Misses({
    hasMatch: () => known,
    rounds: () => rounds,
    wake: () => {
      asked += 1;
    },
    intervalMilliseconds: 5000,
    clock,
  });
  return {
    clock,
    misses,
    get asked() {
      return asked;
    },
    learn() {
      known = true;
    },
    noRounds() {
      rounds = [];
    },
    /** The next round begins; answers with what ends it. */
    begin() {
      const current = rounds.at(-1);
      rounds = current === undefined ? [] : [current, new Round()];
      return () => {
        rounds = rounds.filter((round) => round !== current);
        current?.end();
      };
    },
  };
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

describe('a caller does not wait', () => {
  test('whom an entry applies to', async () => {
    const agent = world();
    agent.learn();
    await agent.misses.awaitEntry(stranger, signal);
    assert.equal(agent.asked, 0);
  });

  test('who has no selectors', async () => {
    const agent = world();
    await agent.misses.awaitEntry(new Set(), signal);
    assert.equal(agent.asked, 0);
  });

  test('while there is nobody to ask', async () => {
    const agent = world();
    agent.noRounds();
    await agent.misses.awaitEntry(stranger, signal);
    assert.equal(agent.asked, 0);
  });
});

describe('another one waits', () => {
  test('until the server was asked', async () => {
    const agent = world();
    const waiting = agent.misses.awaitEntry(stranger, signal);
    const end = agent.begin();
    assert.equal(await isOver(waiting, agent.clock), false);
    end();
    await waiting;
    assert.equal(agent.clock.sleepers, 0);
  });

  test('through the round that is under way, if that brings nothing', async () => {
    const agent = world();
    const endFirst = agent.begin();
    const waiting = agent.misses.awaitEntry(stranger, signal);
    endFirst();
    assert.equal(await isOver(waiting, agent.clock), false);
    agent.begin()();
    await waiting;
  });

  test('no longer than it takes to learn of its entry', async () => {
    const agent = world();
    const endFirst = agent.begin();
    const waiting = agent.misses.awaitEntry(stranger, signal);
    agent.learn();
    endFirst();
    await waiting;
    assert.equal(agent.clock.sleepers, 0);
  });

  test('half a second at most', async () => {
    const { misses, clock } = world();
    const waiting = misses.awaitEntry(stranger, signal);
    await clock.advance({ milliseconds: 499 });
    assert.equal(await isOver(waiting, clock), false);
    await clock.advance({ milliseconds: 1 });
    await waiting;
  });

  test('not when it hangs up', async () => {
    const { misses, clock } = world();
    const caller = new AbortController();
    const waiting = misses.awaitEntry(stranger, caller.signal);
    caller.abort(new Error('gone'));
    await assert.rejects(waiting, { message: 'gone' });
    assert.equal(clock.sleepers, 0);
  });
});

describe('the server is asked', () => {
  /** One miss that brings nothing, in a round of its own. */
  const miss = async (agent: ReturnType<typeof world>): Promise<number> => {
    const waiting = agent.misses.awaitEntry(stranger, signal);
    agent.begin()();
    await waiting;
    return agent.asked;
  };

  test('once for all who come before the round begins, again for who comes after', async () => {
    const agent = world();
    const together = [1, 2, 3].map(() => agent.misses.awaitEntry(stranger, signal));
    assert.equal(agent.asked, 1);
    const endFirst = agent.begin();
    const late = agent.misses.awaitEntry(stranger, signal);
    assert.equal(agent.asked, 2);
    endFirst();
    await Promise.all(together);
    agent.begin()();
    await late;
  });

  test('not more often than four times in a row, then once in each interval', async () => {
    const agent = world();
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.asked, 4);
    await agent.clock.advance({ seconds: 5 });
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.asked, 5);
    await agent.clock.advance({ seconds: 3600 });
    for (let i = 0; i < 10; i++) await miss(agent);
    assert.equal(agent.asked, 9);
  });

  test('whatever becomes of the clock', async () => {
    const agent = world();
    for (let i = 0; i < 10; i++) await miss(agent);
    await agent.clock.advance({ seconds: -3600 });
    assert.equal(await miss(agent), 4);
    await agent.clock.advance({ seconds: 5 });
    assert.equal(await miss(agent), 5);
  });

  test('or not: then a caller waits a fifth of a second, for what the server may tell', async () => {
    const agent = world();
    for (let i = 0; i < 4; i++) await miss(agent);
    const waiting = agent.misses.awaitEntry(stranger, signal);
    await agent.clock.advance({ milliseconds: 199 });
    assert.equal(await isOver(waiting, agent.clock), false);
    await agent.clock.advance({ milliseconds: 1 });
    await waiting;
    assert.equal(agent.asked, 4);
  });
});
