import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unlessAborted } from './unless-aborted.ts';

const never = new Promise<never>(() => {});

test('is what the promise is', async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(unlessAborted(Promise.reject(new Error('no')), signal), { message: 'no' });
});

test('who leaves is not kept waiting, and hears no more of it', async () => {
  const leaving = new AbortController();
  const work = Promise.withResolvers<void>();
  const waiting = unlessAborted(work.promise, leaving.signal);
  leaving.abort(new Error('gone'));
  await assert.rejects(waiting, { message: 'gone' });
  work.reject(new Error('later'));
  await assert.rejects(unlessAborted(never, leaving.signal), { message: 'gone' });
});
