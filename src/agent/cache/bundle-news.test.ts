import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../spiffe/bundle.ts';
import { BundleNews } from './bundle-news.ts';

const list = (name: string): readonly Bundle[] => [{ name } as unknown as Bundle];
const { signal } = new AbortController();

test('a listener is told what there is, then the newest of what it has not read', async () => {
  const news = new BundleNews();
  using listener = news.subscribe(list('now'));
  assert.deepEqual(await listener.next(signal), list('now'));
  news.tell(list('older'));
  news.tell(list('newer'));
  assert.deepEqual(await listener.next(signal), list('newer'));
});

test('each listener is told', async () => {
  const news = new BundleNews();
  using a = news.subscribe(list('now'));
  using b = news.subscribe(list('now'));
  news.tell(list('next'));
  assert.deepEqual(await a.next(signal), list('next'));
  assert.deepEqual(await b.next(signal), list('next'));
});

test('who has left is held no more', () => {
  const news = new BundleNews();
  news.subscribe(list('now'))[Symbol.dispose]();
  assert.equal(news.listenerCount, 0);
});

test('waiting ends with the reason of the signal', async () => {
  const news = new BundleNews();
  using listener = news.subscribe(list('now'));
  await listener.next(signal);
  const leaving = new AbortController();
  const waiting = listener.next(leaving.signal);
  leaving.abort(new Error('gone'));
  await assert.rejects(waiting, { message: 'gone' });
});
