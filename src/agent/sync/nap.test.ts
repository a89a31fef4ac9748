import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Nap } from './nap.ts';

const { signal } = new AbortController();

test('lasts as long as it should', async () => {
  const clock = new VirtualClock();
  const sleep = new Nap(clock).sleep(1000, signal);
  await clock.advance({ milliseconds: 1000 });
  assert.equal(await sleep, false);
});

test('is cut short by a call', async () => {
  const nap = new Nap(new VirtualClock());
  const sleep = nap.sleep(1000, signal);
  nap.wake();
  assert.equal(await sleep, true);
});

test('a call that came before it cuts it short, once', async () => {
  const clock = new VirtualClock();
  const nap = new Nap(clock);
  nap.wake();
  nap.wake();
  assert.equal(await nap.sleep(1000, signal), true);
  const next = nap.sleep(1000, signal);
  await clock.advance({ milliseconds: 1000 });
  assert.equal(await next, false);
});

test('a call that is forgotten does not', async () => {
  const clock = new VirtualClock();
  const nap = new Nap(clock);
  nap.wake();
  nap.forget();
  const sleep = nap.sleep(1000, signal);
  await clock.advance({ milliseconds: 1000 });
  assert.equal(await sleep, false);
});

test('ends with the reason of the signal, and leaves nothing behind', async () => {
  const clock = new VirtualClock();
  const stopping = new AbortController();
  const sleep = new Nap(clock).sleep(1000, stopping.signal);
  stopping.abort(new Error('stopping'));
  await assert.rejects(sleep, { message: 'stopping' });
  assert.equal(clock.sleepers, 0);
});
