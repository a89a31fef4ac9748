import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { descriptorLog, discardingLog, type LogSettings, openLog } from './open-log.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'log-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const settings = (file: string): LogSettings => ({
  level: 'info',
  format: '',
  file,
  sourceLocation: false,
});

const messages = async (file: string): Promise<string[]> =>
  [...(await readFile(file, 'utf8')).matchAll(/msg=(\S+)/g)].map((match) => match[1] ?? '');

test('a log file is added to, and closed when all is written', async (t) => {
  const file = join(await folder(t), 'x.log');
  for (const message of ['a', 'b']) {
    await using opened = await openLog(settings(file));
    opened.log.info(message);
  }
  assert.deepEqual(await messages(file), ['a', 'b']);
  assert.equal((await stat(file)).mode & 0o777 & ~0o640, 0);
});

test('a log file that was moved away is made anew on request', async (t) => {
  const file = join(await folder(t), 'x.log');
  await using opened = await openLog(settings(file));
  opened.log.info('a');
  await opened.drained();
  await rename(file, `${file}.1`);
  opened.log.info('b');
  await opened.reopen();
  opened.log.info('c');
  await opened.drained();
  assert.deepEqual([...(await messages(`${file}.1`)), ...(await messages(file))], ['a', 'b', 'c']);
  assert.ok((await messages(file)).includes('c'));
});

test('where it cannot be made anew, the old one is kept and the reason told', async (t) => {
  const at = await folder(t);
  const file = join(at, 'x.log');
  await using opened = await openLog(settings(file));
  await rename(file, join(at, 'moved.log'));
  await mkdir(file);
  await opened.reopen();
  opened.log.info('still');
  await opened.drained();
  assert.match(
    await readFile(join(at, 'moved.log'), 'utf8'),
    /level=error msg="failed to rotate log after signal" error="unable to reopen .*x\.log: is a directory"\n.*msg=still\n$/,
  );
});

test('several requests at once leave one file open', async (t) => {
  const file = join(await folder(t), 'x.log');
  await using opened = await openLog(settings(file));
  await Promise.all([opened.reopen(), opened.reopen(), opened.reopen()]);
  opened.log.info('a');
  await opened.drained();
  assert.deepEqual(await messages(file), ['a']);
});

test('a log file that cannot be opened is refused in the words of Go', async () => {
  await assert.rejects(openLog(settings('/nonexistent/x.log')), {
    message: 'open /nonexistent/x.log: no such file or directory',
  });
});

test('a log on a descriptor leaves it open', async (t) => {
  const file = join(await folder(t), 'out');
  const descriptor = openSync(file, 'a');
  t.after(() => {
    closeSync(descriptor);
  });
  for (const message of ['a', 'b']) {
    await using opened = descriptorLog(settings(file), descriptor);
    opened.log.info(message);
    await opened.reopen();
  }
  assert.deepEqual(await messages(file), ['a', 'b']);
});

test('a discarded log takes everything', async () => {
  await using opened = discardingLog('trace');
  opened.log.error('x');
  await opened.reopen();
  await opened.drained();
});
