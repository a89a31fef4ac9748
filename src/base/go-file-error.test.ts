import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fault } from './fault.ts';
import { goErrorText, goFileError } from './go-file-error.ts';

const thrownBy = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('errors of the system are told in the words of Go', async (t) => {
  const at = await mkdtemp(join(tmpdir(), 'errors-'));
  t.after(() => rm(at, { recursive: true }));
  const file = join(at, 'file');
  await writeFile(file, '');
  const rows: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => readFile(join(at, 'missing')), 'no such file or directory'],
    [() => readFile(at), 'is a directory'],
    [() => readFile(join(file, 'x')), 'not a directory'],
    [() => open(file, 'wx'), 'file exists'],
    [() => readFile(join(at, 'x'.repeat(300))), 'file name too long'],
  ];
  for (const [work, text] of rows) assert.equal(goErrorText(await thrownBy(work())), text);
});

test('the operation and the path go before them', async () => {
  const error = await thrownBy(readFile('/nonexistent/x'));
  const fault = goFileError('open', '/nonexistent/x', error);
  assert.equal(fault.message, 'open /nonexistent/x: no such file or directory');
  assert.equal(fault.cause, error);
});

test('a folder can be opened, and not be read', async () => {
  const error = await thrownBy(readFile('/'));
  assert.equal(goFileError('open', '/', error).message, 'read /: is a directory');
  const written = await thrownBy(open('/', 'w'));
  assert.equal(goFileError('open', '/', written).message, 'open /: is a directory');
});

test('a Fault is passed on as it is', () => {
  const fault = new Fault('invalid', 'too long');
  assert.equal(goFileError('open', 'x', fault), fault);
});

test('anything else is told as it is', () => {
  assert.equal(goErrorText(new Error('boom')), 'boom');
  assert.equal(goErrorText('text'), 'text');
});
