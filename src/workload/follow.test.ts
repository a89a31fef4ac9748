import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { Fault, reasonOf } from '../base/fault.ts';
import { follow } from './follow.ts';

type Call = (signal: AbortSignal) => AsyncGenerator<string, void>;

/** Follows calls that go, one after the other, as the test says; when each began is noted, in milliseconds. */
function start(...calls: readonly Call[]) {
  const clock = new VirtualClock();
  const began: number[] = [];
  const failures: string[] = [];
  const stop = new AbortController();
  const startedAt = clock.now();
  const left = [...calls];
  const values = follow<string, string>(
    {
      stream(signal) {
        began.push(clock.now() - startedAt);
        return (left.shift() ?? silence)(signal);
      },
      read(text) {
        if (text === 'nonsense') throw new Error('malformed');
        return text;
      },
      clock,
      failed: (error) => failures.push(reasonOf(error)),
    },
    stop.signal,
  );
  return { clock, began, failures, stop, values };
}

/** Resolves with the next value, while time goes by whenever somebody waits for that. */
async function next(values: AsyncGenerator<string, void>, clock: VirtualClock) {
  const settled = new AbortController();
  const asked = values.next().finally(() => {
    settled.abort();
  });
  asked.catch(() => undefined); // told below
  for (let turn = 0; turn < 10_000 && !settled.signal.aborted; turn++) {
    await new Promise(setImmediate);
    if (clock.sleepers > 0) await clock.advance({ milliseconds: 100 });
  }
  return (await asked).value;
}

async function* silence(signal: AbortSignal): AsyncGenerator<string, void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  yield* [];
}
const says = (...texts: readonly string[]): Call =>
  async function* () {
    yield* texts;
  };
const fails = (error: Error, ...texts: readonly string[]): Call =>
  async function* () {
    yield* texts;
    throw error;
  };

test('a stream that ends is opened again, soon if it had worked', async () => {
  const { clock, began, failures, values } = start(says('a'), says('b'), silence);
  assert.equal(await next(values, clock), 'a');
  assert.equal(await next(values, clock), 'b');
  assert.deepEqual(began, [0, 100]);
  assert.deepEqual(failures, ['the Workload API ended the stream']);
  await values.return();
});

test('failures in a row make the pauses longer, up to 30 seconds', async () => {
  const away = new Fault('unavailable', 'away');
  const { clock, began, failures, values } = start(
    ...Array.from({ length: 34 }, () => fails(away)),
    says('back'),
  );
  assert.equal(await next(values, clock), 'back');
  const pauses = began.slice(1).map((at, index) => (at - (began[index] ?? 0)) / 1000);
  assert.deepEqual(pauses.slice(0, 5), [0.1, 1, 2, 3, 4]);
  assert.deepEqual(pauses.slice(-4), [30, 30, 30, 30]);
  assert.equal(failures.length, 34);
});

test('an answer ends the row', async () => {
  const away = new Fault('denied', 'no identity issued');
  const { clock, began, values } = start(fails(away), fails(away), fails(away, 'a'), says('b'));
  assert.equal(await next(values, clock), 'a');
  const before = began.at(-1) ?? 0;
  assert.equal(await next(values, clock), 'b');
  assert.equal((began.at(-1) ?? 0) - before, 100);
});

test('a malformed answer is told and passed over; the stream goes on', async () => {
  const { clock, began, failures, values } = start(says('nonsense', 'a'));
  assert.equal(await next(values, clock), 'a');
  assert.deepEqual(failures, ['malformed']);
  assert.equal(began.length, 1);
});

for (const kind of ['invalid', 'unimplemented'] as const) {
  test(`'${kind}' is told, and the end: asking again is of no use`, async () => {
    const { clock, began, failures, values } = start(fails(new Fault(kind, 'never'), 'a'));
    assert.equal(await next(values, clock), 'a');
    await assert.rejects(next(values, clock), { kind, message: 'never' });
    assert.deepEqual(failures, ['never']);
    assert.equal(began.length, 1);
  });
}

test('ends when the signal aborts: in a stream, in a pause, and before it has begun', async () => {
  const inStream = start(silence);
  const asked = inStream.values.next();
  inStream.stop.abort();
  assert.deepEqual(await asked, { value: undefined, done: true });
  const inPause = start(fails(new Fault('unavailable', 'away')));
  const waiting = inPause.values.next();
  while (inPause.clock.sleepers === 0) await new Promise(setImmediate);
  inPause.stop.abort();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  const before = start(says('a'));
  before.stop.abort();
  assert.deepEqual(await before.values.next(), { value: undefined, done: true });
  assert.deepEqual(before.began, []);
});
