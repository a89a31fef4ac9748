import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readFileBounded, writeFileAtomically } from './files.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'files-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('a file is replaced as a whole, with its mode, and nothing is left beside it', async (t) => {
  const at = await folder(t);
  const path = join(at, 'keys.json');
  await writeFile(path, 'old');
  await writeFileAtomically(path, 'new', { mode: 0o600 });
  assert.equal(await readFile(path, 'utf8'), 'new');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(at), ['keys.json']);
});

test('what a crash left beside the file is replaced, not followed', async (t) => {
  const at = await folder(t);
  const path = join(at, 'keys.json');
  await writeFile(join(at, 'precious'), 'precious');
  await symlink(join(at, 'precious'), `${path}.tmp`);
  await writeFileAtomically(path, new TextEncoder().encode('new'), { mode: 0o600 });
  assert.equal(await readFile(path, 'utf8'), 'new');
  assert.equal(await readFile(join(at, 'precious'), 'utf8'), 'precious');
});

test('a write that fails changes nothing and cleans up', async (t) => {
  const at = await folder(t);
  await mkdir(join(at, 'taken/inside'), { recursive: true }); // a folder is not replaced by a file
  await assert.rejects(writeFileAtomically(join(at, 'taken'), 'new', { mode: 0o600 }));
  assert.deepEqual(await readdir(at), ['taken']);
  assert.deepEqual(await readdir(join(at, 'taken')), ['inside']);
});

test('a file is read up to its limit and not beyond', async (t) => {
  const path = join(await folder(t), 'file');
  await writeFile(path, 'x'.repeat(100_000));
  assert.equal((await readFileBounded(path, 100_000)).length, 100_000);
  await assert.rejects(readFileBounded(path, 99_999), {
    kind: 'invalid',
    message: `${path} is longer than 99999 bytes`,
  });
});

test('a device without an end is refused', async () => {
  await assert.rejects(readFileBounded('/dev/zero', 1 << 20), { kind: 'invalid' });
});

test('a file that is not there rejects with the error of the system', async () => {
  await assert.rejects(readFileBounded('/nonexistent/file', 10), { code: 'ENOENT' });
});
