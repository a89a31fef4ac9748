import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { listenUnix, MAX_SOCKET_PATH_BYTES } from './unix-socket.ts';

const options = { mode: 0o640, directoryMode: 0o750, onConnection: () => {} };

test('makes the folder and the socket with their modes, and removes the socket when closed', async (t) => {
  const path = join(await scratch(t), 'a/b/api.sock');
  const server = await listenUnix(path, options);
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o750);
  await close(server);
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

test('replaces a socket that nobody listens on', async (t) => {
  const path = join(await scratch(t), 'dead.sock');
  await leaveDeadSocket(path);
  await close(await listenUnix(path, options));
});

test('leaves a socket in use alone', async (t) => {
  const path = join(await scratch(t), 'live.sock');
  const first = await listenUnix(path, options);
  const { ino } = await stat(path);
  await assert.rejects(listenUnix(path, options), {
    kind: 'failed-precondition',
    message: /another process is listening there/,
  });
  assert.equal((await stat(path)).ino, ino);
  await close(first);
});

test('leaves a file that is no socket alone', async (t) => {
  const path = join(await scratch(t), 'precious');
  await writeFile(path, 'data');
  await assert.rejects(listenUnix(path, options), {
    kind: 'failed-precondition',
    message: /a file that is not a socket is there/,
  });
  assert.equal((await stat(path)).size, 4);
});

test('refuses a path that the kernel would cut off', async (t) => {
  const folder = await scratch(t);
  const fits = join(folder, 'x'.repeat(MAX_SOCKET_PATH_BYTES - folder.length - 1));
  await close(await listenUnix(fits, options));
  await assert.rejects(listenUnix(`${fits}y`, options), {
    kind: 'invalid',
    message: /socket path is too long: 108 bytes, 107 are possible/,
  });
});

test('refuses a folder that cannot be one', async (t) => {
  const folder = await scratch(t);
  await writeFile(join(folder, 'file'), '');
  await assert.rejects(listenUnix(join(folder, 'file/api.sock'), options), {
    kind: 'failed-precondition',
    message: /cannot use .*/,
  });
});

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sock-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What a killed process leaves: the file without a listener. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.tmp`, resolve);
  });
  await rename(`${path}.tmp`, path);
  await close(server);
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
