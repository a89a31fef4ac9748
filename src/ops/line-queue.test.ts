import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLineQueue, type WriteSome } from './line-queue.ts';

const lossLine = (count: number, reason: string): string => `lost ${count}: ${reason}\n`;

/** Takes what it is given when the test lets it. */
function output() {
  const chunks: string[] = [];
  const waiting: (() => void)[] = [];
  const writeSome: WriteSome = async (bytes) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    chunks.push(Buffer.from(bytes).toString());
    return bytes.length;
  };
  return { chunks, writeSome, release: () => waiting.shift()?.() };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('lines that come while a write is under way are written together, in order', async () => {
  const { chunks, writeSome, release } = output();
  const queue = createLineQueue({ writeSome, lossLine });
  for (const line of ['a\n', 'b\n', 'c\n']) queue.write(line);
  release();
  await settled();
  queue.write('d\n');
  release();
  await settled();
  release();
  await queue.drained();
  assert.deepEqual(chunks, ['a\n', 'b\nc\n', 'd\n']);
});

test('what is written in part is written to the end', async () => {
  let written = '';
  const queue = createLineQueue({
    lossLine,
    async writeSome(bytes) {
      written += Buffer.from(bytes.subarray(0, 3)).toString();
      return Math.min(3, bytes.length);
    },
  });
  queue.write('a longer line\n');
  await queue.drained();
  assert.equal(written, 'a longer line\n');
});

test('a full pipe is tried again', async () => {
  let tries = 0;
  let written = '';
  const queue = createLineQueue({
    lossLine,
    async writeSome(bytes) {
      tries += 1;
      if (tries === 1) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
      written += Buffer.from(bytes).toString();
      return bytes.length;
    },
  });
  queue.write('x\n');
  await queue.drained();
  assert.equal(written, 'x\n');
});

test('lines that could not be written are counted, and told once others can be', async () => {
  let broken = true;
  let written = '';
  const queue = createLineQueue({
    lossLine,
    async writeSome(bytes) {
      if (broken) throw new Error('no space left on device');
      written += Buffer.from(bytes).toString();
      return bytes.length;
    },
  });
  queue.write('a\n');
  await queue.drained();
  queue.write('b\n');
  await queue.drained();
  broken = false;
  queue.write('c\n');
  await queue.drained();
  assert.equal(written, 'lost 2: no space left on device\nc\n');
});

test('whoever does not read what we write costs us no more than so much memory', async () => {
  const { chunks, writeSome, release } = output();
  const queue = createLineQueue({ writeSome, lossLine });
  queue.write('first\n');
  const line = `${'x'.repeat(1024 * 1024 - 1)}\n`;
  for (let count = 0; count < 20; count++) queue.write(line);
  release();
  await settled();
  release();
  await queue.drained();
  const told = queue.drained();
  queue.write('last\n');
  release();
  await told;
  await settled();
  release();
  await queue.drained();
  const all = chunks.join('');
  assert.ok(all.length < 10 * 1024 * 1024);
  assert.match(all, /lost 12: written faster than they were taken\n/);
  assert.ok(all.endsWith('last\n'));
});

test('after a redirection lines go the new way, and the old one is at rest', async () => {
  const [before, after] = [output(), output()];
  const queue = createLineQueue({ writeSome: before.writeSome, lossLine });
  queue.write('a\n');
  queue.write('b\n');
  const redirected = queue.redirect(after.writeSome);
  before.release();
  await settled();
  after.release();
  await redirected;
  assert.deepEqual(before.chunks, ['a\n']);
  assert.deepEqual(after.chunks, ['b\n']);
});
