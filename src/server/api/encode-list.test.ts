import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeList } from './encode-list.ts';

const KILOBYTE = 1024;
const item = (value: number) => new Uint8Array(KILOBYTE).fill(value);
const items = Array.from({ length: 1000 }, (_, i) => i % 256);

test('encodes every item, in order', async () => {
  const encoded = await encodeList(items, item, new AbortController());
  assert.deepEqual(
    encoded.map(([first]) => first),
    items,
  );
});

test('lets others have their turn', async () => {
  let turns = 0;
  const ticking = () => {
    turns += 1;
    immediate = setImmediate(ticking);
  };
  let immediate = setImmediate(ticking);
  await encodeList(items, item, new AbortController());
  clearImmediate(immediate);
  assert.ok(turns >= 30, `${turns} turns for 1000 KB in slices of 32 KB`);
});

test('a short list is encoded at once', async () => {
  let turned = false;
  const immediate = setImmediate(() => (turned = true));
  await encodeList(items.slice(0, 30), item, new AbortController());
  clearImmediate(immediate);
  assert.equal(turned, false);
});

test('stops when the call is over', async () => {
  const call = new AbortController();
  let encoded = 0;
  const encode = (value: number) => {
    encoded += 1;
    if (encoded === 200) call.abort(new Error('gone'));
    return item(value);
  };
  await assert.rejects(encodeList(items, encode, call), /gone/);
  assert.ok(encoded < items.length);
});
