import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveValue } from './source.ts';

type Value = { readonly n: number };

/** A watch that the test feeds, and its end. */
function feed() {
  const values: (Value | Error | 'end')[] = [];
  let news = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const give = (value: Value | Error | 'end') => {
    values.push(value);
    news.resolve();
  };
  async function* watch(ended: AbortSignal): AsyncGenerator<Value, void> {
    signal = ended;
    ended.addEventListener('abort', () => give('end'), { once: true });
    for (;;) {
      const value = values.shift();
      if (value === undefined) {
        news = Promise.withResolvers();
        await news.promise;
      } else if (value === 'end') return;
      else if (value instanceof Error) throw value;
      else yield value;
    }
  }
  return { give, watch, isStopped: () => signal?.aborted === true };
}

const settle = () => new Promise(setImmediate);
const one = { n: 1 };
const two = { n: 2 };
const three = { n: 3 };

test('opens with the first value, and is always the newest', async () => {
  const { give, watch, isStopped } = feed();
  const opening = LiveValue.open(watch);
  await settle();
  give(one);
  const live = await opening;
  assert.equal(live.current, one);
  give(two);
  await settle();
  assert.equal(live.current, two);
  live.dispose();
  assert.ok(isStopped());
  assert.equal(live.current, two, 'what it had last stays');
});

test('who iterates hears of the current value, then of the newest: who is slow misses some', async () => {
  const { give, watch } = feed();
  give(one);
  const live = await LiveValue.open(watch);
  const updates = live.updates();
  assert.equal((await updates.next()).value, one);
  give(two);
  give(three);
  await settle();
  assert.equal((await updates.next()).value, three);
  const waiting = updates.next();
  await settle();
  live.dispose();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.deepEqual(await live.updates().next(), { value: undefined, done: true });
});

test('the signal of one who iterates ends that, and nothing else', async () => {
  const { give, watch, isStopped } = feed();
  give(one);
  const live = await LiveValue.open(watch);
  const stop = new AbortController();
  const updates = live.updates(stop.signal);
  await updates.next();
  const waiting = updates.next();
  stop.abort();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.equal(isStopped(), false);
  live.dispose();
});

test('what the watch cannot be continued after is thrown to who iterates', async () => {
  const { give, watch } = feed();
  give(one);
  const live = await LiveValue.open(watch);
  const updates = live.updates();
  await updates.next();
  const waiting = updates.next();
  give(new Error('never'));
  await assert.rejects(waiting, { message: 'never' });
  await assert.rejects(live.updates().next(), { message: 'never' });
  assert.equal(live.current, one);
});

const failures: [why: string, fail: (watch: ReturnType<typeof feed>) => void, says: object][] = [
  ['the watch fails', ({ give }) => give(new Error('never')), { message: 'never' }],
  ['the watch ends', ({ give }) => give('end'), { kind: 'canceled' }],
];
for (const [why, fail, says] of failures) {
  test(`does not open where ${why} before the first value`, async () => {
    const watch = feed();
    const opening = LiveValue.open(watch.watch);
    fail(watch);
    await assert.rejects(opening, says);
    assert.ok(watch.isStopped());
  });
}

test('does not open when the signal aborts first, and stops the watch', async () => {
  const { watch, isStopped } = feed();
  const stop = new AbortController();
  const opening = LiveValue.open(watch, stop.signal);
  await settle();
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(opening, reason);
  assert.ok(isStopped());
  await assert.rejects(LiveValue.open(watch, stop.signal), reason);
});
