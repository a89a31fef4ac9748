import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { processStartTime } from '../../base/proc.ts';
import { peerProcessHandle, withoutHandle } from '../../rpc/peer-credentials.ts';
import { bindPeer, watchPeer } from './peer.ts';

/** A listening Unix socket, and what connects to it. */
async function listen() {
  const directory = await mkdtemp(join(tmpdir(), 'peer-'));
  const path = join(directory, 'peer.sock');
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    accepted: async () => ((await once(server, 'connection')) as [Socket])[0],
    async [Symbol.asyncDispose]() {
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

const me = { pid: process.pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test('a peer is the process that connected, and it is alive', async () => {
  await using place = await listen();
  const accepted = place.accepted();
  const client = connect(place.path);
  const socket = await accepted;
  const peer = await watchPeer(socket);
  assert.deepEqual({ pid: peer.pid, uid: peer.uid, gid: peer.gid }, me);
  await peer.checkAlive();
  peer[Symbol.dispose]();
  await assert.rejects(peer.checkAlive(), {
    kind: 'unauthenticated',
    message: 'caller is no longer being watched',
  });
  client.destroy();
  socket.destroy();
});

describe('a process that has ended is no longer alive', () => {
  for (const way of ['by its handle', 'by its start time'] as const) {
    test(way, async (t) => {
      await using place = await listen();
      const accepted = place.accepted();
      const script = `require('net').connect(${JSON.stringify(place.path)}); setInterval(() => {}, 1e6)`;
      const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
      const socket = await accepted;
      const handle = way === 'by its handle' ? peerProcessHandle(socket) : undefined;
      if (way === 'by its handle' && handle === undefined) {
        t.skip('this kernel has no handles of peers');
      } else {
        const { uid, gid } = me;
        const peer = await bindPeer({ pid: child.pid ?? 0, uid, gid }, handle);
        await peer.checkAlive();
        assert.equal(peer.hasExited(), false);
        child.kill('SIGKILL');
        await once(child, 'exit');
        await assert.rejects(peer.checkAlive(), {
          kind: 'unauthenticated',
          message: /^caller exit suspected due to /,
        });
        assert.equal(peer.hasExited(), handle !== undefined, 'only a handle knows at any time');
        peer[Symbol.dispose]();
      }
      child.kill('SIGKILL');
      socket.destroy();
    });
  }
});

test('a process that had ended before it was accepted is never taken for another', async (t) => {
  await using place = await listen();
  const accepted = place.accepted();
  const script = `require('net').connect(${JSON.stringify(place.path)}, () => process.exit())`;
  // Nothing is accepted before this returns, and then its number is free.
  assert.equal(spawnSync(process.execPath, ['-e', script]).status, 0);
  const socket = await accepted;
  t.after(() => socket.destroy());
  await assert.rejects(async () => {
    using peer = await watchPeer(socket);
    await peer.checkAlive();
  });
});

test('only a kernel that knows no handles is trusted with start times', () => {
  const [ESRCH, EINVAL, EMFILE, ENOPROTOOPT] = [3, 22, 24, 92];
  assert.equal(withoutHandle(ENOPROTOOPT), undefined);
  for (const errorNumber of [ESRCH, EINVAL, EMFILE]) {
    assert.throws(() => withoutHandle(errorNumber), { kind: 'unavailable' });
  }
});

describe('a number that went to another process', () => {
  const others: readonly [why: string, was: Partial<typeof me>, message: RegExp][] = [
    ['of another user', { uid: me.uid + 1 }, /process uid \d+ does not match original caller \d+$/],
    [
      'of another group',
      { gid: me.gid + 1 },
      /process gid \d+ does not match original caller \d+$/,
    ],
  ];
  for (const [why, was, message] of others) {
    test(why, async () => {
      using peer = await bindPeer({ ...me, ...was }, undefined);
      await assert.rejects(peer.checkAlive(), { kind: 'unauthenticated', message });
    });
  }

  test('that started at another time', async () => {
    using peer = await bindPeer(me, undefined, async () => '1');
    const message = `new process detected: process starttime ${await processStartTime(process.pid)} does not match original caller 1`;
    await assert.rejects(peer.checkAlive(), { message });
  });
});

test('a process that the own PID namespace does not show is refused', async (t) => {
  const unshare = ['-pf', '--kill-child', '--mount-proc'];
  if (me.uid !== 0 || spawnSync('unshare', [...unshare, 'true']).status !== 0) {
    t.skip('no PID namespaces here');
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'peer-'));
  const path = join(directory, 'peer.sock');
  const script = `
    const { createServer } = await import('node:net');
    const { peerCredentials } = await import(${JSON.stringify(import.meta.resolve('../../rpc/peer-credentials.ts'))});
    createServer((socket) => {
      try {
        console.log('known as ' + peerCredentials(socket).pid);
      } catch (error) {
        console.log(error.message);
      }
    }).listen(${JSON.stringify(path)}, () => console.log('listening'));`;
  const inside = spawn(
    'unshare',
    [...unshare, process.execPath, '--input-type=module', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const said = createInterface(inside.stdout)[Symbol.asyncIterator]();
  assert.equal((await said.next()).value, 'listening');
  const client = connect(path);
  assert.equal((await said.next()).value, 'could not resolve caller information');
  client.destroy();
  inside.kill('SIGKILL');
  await once(inside, 'exit');
  await rm(directory, { recursive: true });
});
