import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageReader } from './message-reader.ts';

test('reads to the end, and then says so as often as it is asked', async () => {
  async function* messages() {
    yield 1;
    yield 2;
  }
  const read = messageReader(messages());
  assert.deepEqual(
    [await read(), await read(), await read(), await read()],
    [1, 2, undefined, undefined],
  );
});

test('a stream that fails fails the reading', async () => {
  async function* messages() {
    yield 1;
    throw new Error('cut off');
  }
  const read = messageReader(messages());
  await read();
  await assert.rejects(read(), { message: 'cut off' });
});
