import assert from 'node:assert/strict';
import { mkdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { listenLastingly } from './lasting-socket.ts';

/** A socket that is looked after every few milliseconds. */
async function world() {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'public', 'api.sock');
  const lines: LogLine[] = [];
  let connections = 0;
  const socket = await listenLastingly(path, {
    mode: 0o707,
    directoryMode: 0o755,
    onConnection: (connection) => {
      connections += 1;
      connection.on('error', () => {});
      connection.pipe(connection);
    },
    log: recordingLog(lines),
    checkMilliseconds: 5,
  });
  return {
    folder: folder.path,
    path,
    socket,
    messages: () => lines.map(({ message }) => message),
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      await socket[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Whether what is sent there comes back. */
const echoes = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => socket.write('x'));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

test('a socket that is removed comes back, with its mode', async () => {
  await using agent = await world();
  assert.ok(await echoes(agent.path));
  await rm(agent.path);
  await eventually(() => echoes(agent.path), 'the socket');
  assert.equal((await stat(agent.path)).mode & 0o777, 0o707);
  assert.deepEqual(agent.messages(), ['The socket was removed: listening anew']);
});

test('with its folder', async () => {
  await using agent = await world();
  await rm(join(agent.folder, 'public'), { recursive: true });
  await eventually(() => echoes(agent.path), 'the socket');
});

test('with its folders as they were, however strict the umask is by now', async (t) => {
  await using agent = await world();
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  await rm(join(agent.folder, 'public'), { recursive: true });
  await eventually(() => echoes(agent.path), 'the socket');
  assert.equal((await stat(join(agent.folder, 'public'))).mode & 0o777, 0o755 & ~before);
});

test('connections that were open stay open', async () => {
  await using agent = await world();
  const open = connect(agent.path);
  await new Promise((resolve) => open.once('connect', resolve));
  await rm(agent.path);
  await eventually(() => echoes(agent.path), 'the socket');
  const answer = new Promise((resolve) => open.once('data', resolve));
  open.write('still there');
  assert.equal(String(await answer), 'still there');
  open.destroy();
});

test('what somebody else put there is left alone, and told once', async () => {
  await using agent = await world();
  const other = createServer((socket) => socket.end('other'));
  await new Promise<void>((resolve) => {
    other.listen(`${agent.path}.new`, resolve);
  });
  await rename(`${agent.path}.new`, agent.path);
  await eventually(() => agent.messages().length > 0, 'a line');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(agent.messages(), ['Something else has taken the place of the socket']);
  await new Promise((resolve) => {
    other.close(resolve);
  });
  await rm(agent.path);
  await eventually(() => echoes(agent.path), 'the socket, once the place is free');
});

test('where it cannot come back it is tried again, and told once', async () => {
  await using folder = await temporaryFolder();
  const [link, path] = [join(folder.path, 'link'), join(folder.path, 'link', 'api.sock')];
  /** Has the folder of the socket be another one, without a moment in between. */
  const pointTo = async (name: string) => {
    await symlink(name, `${link}.new`);
    await rename(`${link}.new`, link);
  };
  await mkdir(join(folder.path, 'first'));
  await pointTo('first');
  const lines: LogLine[] = [];
  await using _ = await listenLastingly(path, {
    mode: 0o777,
    directoryMode: 0o755,
    onConnection: (connection) => connection.pipe(connection),
    log: recordingLog(lines),
    checkMilliseconds: 5,
  });
  await pointTo('nowhere');
  const failures = () =>
    lines.filter(({ message }) => message.startsWith('Could not listen anew: ')).length;
  await eventually(() => failures() > 0, 'a failure');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(failures(), 1);
  await mkdir(join(folder.path, 'second'));
  await pointTo('second');
  await eventually(() => echoes(path), 'the socket');
});

test('it is gone when it is ended, and does not come back', async () => {
  const agent = await world();
  await agent.socket[Symbol.asyncDispose]();
  await assert.rejects(stat(agent.path), { code: 'ENOENT' });
  await new Promise((resolve) => setTimeout(resolve, 30));
  await assert.rejects(stat(agent.path), { code: 'ENOENT' });
  await agent[Symbol.asyncDispose]();
});
