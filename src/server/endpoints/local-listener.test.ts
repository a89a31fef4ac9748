import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../ops/log.ts';
import { checkSocketFree } from '../../rpc/unix-socket.ts';
import { listenLocal } from './local-listener.ts';
import type { LocalPeer } from './peer.ts';

async function socketPath(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'steeple-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'private', 'api.sock');
}

async function listen(t: TestContext, path: string) {
  const peers: LocalPeer[] = [];
  const listener = await listenLocal({
    path,
    mustNameCaller: true,
    onPeer: (socket: Socket, peer) => {
      peers.push(peer);
      socket.end('hello');
    },
    onFailure: (error) => assert.fail(error),
    log: silentLog,
  });
  t.after(() => {
    listener[Symbol.dispose]();
  });
  return { peers, listener };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

async function hear(path: string): Promise<string> {
  let text = '';
  for await (const chunk of connect(path)) text += String(chunk);
  return text;
}

test('the socket is for its owner and group, in a folder that is made for it', async (t) => {
  const path = await socketPath(t);
  await listen(t, path);
  assert.equal(mode(path), '770');
  assert.equal(mode(join(path, '..')), '750');
});

test('a caller is known by process, user and group', async (t) => {
  const path = await socketPath(t);
  const { peers } = await listen(t, path);
  assert.equal(await hear(path), 'hello');
  const { pid } = process;
  assert.deepEqual(peers, [
    { kind: 'local', pid, uid: process.getuid?.(), gid: process.getgid?.() },
  ]);
});

test('a socket that another server listens on is left alone', async (t) => {
  const path = await socketPath(t);
  await listen(t, path);
  const { ino } = statSync(path);
  await assert.rejects(checkSocketFree(path), { kind: 'failed-precondition' });
  await assert.rejects(listen(t, path), { kind: 'failed-precondition' });
  assert.equal(statSync(path).ino, ino);
  assert.equal(await hear(path), 'hello');
});

test('a dead socket is replaced', async (t) => {
  const path = await socketPath(t);
  const { listener } = await listen(t, path);
  listener[Symbol.dispose]();
  const dies = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', dies]);
  assert.ok(existsSync(path));
  const { ino } = statSync(path);
  assert.equal(await checkSocketFree(path), 'dead');
  assert.equal(statSync(path).ino, ino, 'looking is not replacing');
  await listen(t, path);
  assert.equal(await hear(path), 'hello');
});

test('a file that is no socket is left alone', async (t) => {
  const path = await socketPath(t);
  const file = join(path, '../..', 'file');
  writeFileSync(file, 'precious');
  await assert.rejects(checkSocketFree(file), { kind: 'failed-precondition' });
});

test('looking for a socket makes none, not even for a moment', async (t) => {
  const path = await socketPath(t);
  assert.equal(await checkSocketFree(path), 'absent');
  assert.equal(existsSync(join(path, '..')), false);
  mkdirSync(join(path, '..'));
  const changed = () => statSync(join(path, '..'), { bigint: true }).mtimeNs;
  const before = changed();
  await checkSocketFree(path);
  assert.equal(changed(), before);
});

test('a folder that cannot be made is told as such', async (t) => {
  const path = await socketPath(t);
  const file = join(path, '../..', 'file');
  writeFileSync(file, '');
  await assert.rejects(listen(t, join(file, 'private', 'api.sock')), {
    kind: 'failed-precondition',
    message: /^unable to create socket directory: /,
  });
});

test('the socket goes with its listener', async (t) => {
  const path = await socketPath(t);
  const { listener } = await listen(t, path);
  listener[Symbol.dispose]();
  assert.equal(existsSync(path), false);
  const [error] = (await once(connect(path), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ENOENT');
});
