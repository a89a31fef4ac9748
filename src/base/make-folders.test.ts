import assert from 'node:assert/strict';
import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { makeFolders } from './make-folders.ts';

async function folder(t: TestContext): Promise<string> {
  const { path, [Symbol.asyncDispose]: remove } = await temporaryFolder();
  t.after(() => remove());
  return path;
}

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o777).toString(8);

test('makes a folder with those above it', async (t) => {
  const path = join(await folder(t), 'a/b/c');
  await makeFolders(path, 0o700);
  assert.equal(await modeOf(path), '700');
  assert.equal(await modeOf(join(path, '..')), '700');
});

test('leaves what is there as it is', async (t) => {
  const path = join(await folder(t), 'a');
  await mkdir(path);
  await chmod(path, 0o711);
  await makeFolders(path, 0o700);
  await makeFolders(`${path}/`, 0o700);
  assert.equal(await modeOf(path), '711');
  await symlink('a', `${path}-link`);
  await makeFolders(`${path}-link/b`, 0o700);
  assert.equal(await modeOf(join(path, 'b')), '700');
});

test('of many at once each finds the folder there', async (t) => {
  const path = join(await folder(t), 'a/b/c');
  await Promise.all(Array.from({ length: 20 }, () => makeFolders(path, 0o700)));
  assert.equal(await modeOf(path), '700');
});

test('refuses where a file is in the way', async (t) => {
  const path = join(await folder(t), 'file');
  await writeFile(path, '');
  await assert.rejects(makeFolders(path, 0o700), { code: 'EEXIST' });
  await assert.rejects(makeFolders(join(path, 'a'), 0o700), { code: 'ENOTDIR' });
  await symlink('nowhere', `${path}-link`);
  await assert.rejects(makeFolders(`${path}-link`, 0o700), { code: 'EEXIST' });
});

test('ends where nothing can be made', { skip: process.platform !== 'linux' }, async () => {
  await assert.rejects(makeFolders('/proc/nope', 0o700), { code: 'ENOENT' });
  await assert.rejects(makeFolders('/proc/nope/a/b', 0o700), { code: 'ENOENT' });
});
