import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../ops/log.ts';
import { Health } from '../wire/gen/grpc/health/v1/health_pb.ts';
import { dial } from './dial.ts';
import { healthService } from './health.ts';
import { createRpcServer } from './serve.ts';
import { listenUnix } from './unix-socket.ts';

/** A server whose connections get old at once, and what it accepted. */
async function start(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'age-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'api.sock');
  const accepted: Socket[] = [];
  const server = createRpcServer<undefined, undefined>({
    services: [healthService(async () => true)],
    intercept: async (_call, proceed) => proceed(undefined),
    maxConnectionAgeMilliseconds: 50,
    log: silentLog,
  });
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      accepted.push(socket);
      server.inject(socket, undefined);
    },
  });
  t.after(async () => {
    listener.close();
    await server[Symbol.asyncDispose]();
  });
  return { path, accepted };
}

test('a connection that has its age ends, and the next call makes a new one', async (t) => {
  const { path, accepted } = await start(t);
  using channel = dial({ address: `unix:${path}` });
  const health = channel.client(Health);
  await health.check({});
  const [first] = accepted;
  assert.ok(first);
  if (!first.closed) await once(first, 'close');
  await health.check({});
  assert.equal(accepted.length, 2);
});

test('who connects and says nothing does not stay', async (t) => {
  const { path } = await start(t);
  const silent = connect(path);
  silent.resume();
  await once(silent, 'close');
});
