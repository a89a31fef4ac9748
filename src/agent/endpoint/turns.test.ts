import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

const { signal: never } = new AbortController();

const settle = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });

/** Jobs that run until they are told to end, and the names of those that have begun. */
function jobs(turns: Turns) {
  const begun: string[] = [];
  const start = (key: number, name: string, signal = never) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const job = () => {
      begun.push(name);
      return promise;
    };
    const outcome = turns.run(key, job, signal);
    outcome.catch(() => {});
    return { outcome, end: () => resolve(name), fail: () => reject(new Error(name)) };
  };
  return { begun, start };
}

test('no more run at once for one key than are allowed, in the order in which they came', async () => {
  const turns = new Turns(2);
  const { begun, start } = jobs(turns);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => start(1, name));
  await settle();
  assert.deepEqual(begun, ['a', 'b']);
  b?.end();
  await settle();
  assert.deepEqual(begun, ['a', 'b', 'c']);
  a?.fail();
  await assert.rejects(a?.outcome as Promise<string>, { message: 'a' });
  await settle();
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'], 'a failure passes the turn on');
  c?.end();
  d?.end();
  assert.equal(await d?.outcome, 'd');
  assert.equal(turns.size, 0, 'nothing is left behind');
});

test('who comes just as a turn ends does not get in before those that wait', async () => {
  const turns = new Turns(1);
  const { begun, start } = jobs(turns);
  const first = start(1, 'first');
  const second = start(1, 'second');
  first.end();
  await first.outcome;
  const third = start(1, 'third');
  await settle();
  assert.deepEqual(begun, ['first', 'second']);
  second.end();
  third.end();
  await third.outcome;
});

test('another key does not wait', async () => {
  const turns = new Turns(1);
  const { begun, start } = jobs(turns);
  const running = [start(1, 'one'), start(1, 'more of it'), start(2, 'two')];
  await settle();
  assert.deepEqual(begun, ['one', 'two']);
  for (const job of running) job.end();
  await Promise.all(running.map(({ outcome }) => outcome));
});

test('who gives up leaves, and never begins', async () => {
  const turns = new Turns(1);
  const { begun, start } = jobs(turns);
  const gone = new AbortController();
  const first = start(1, 'first');
  const second = start(1, 'second', gone.signal);
  const third = start(1, 'third');
  gone.abort(new Error('gone'));
  await assert.rejects(second.outcome, { message: 'gone' });
  await assert.rejects(start(1, 'late', gone.signal).outcome, { message: 'gone' });
  first.end();
  await settle();
  assert.deepEqual(begun, ['first', 'third']);
  third.end();
  await third.outcome;
  assert.equal(turns.size, 0);
});
