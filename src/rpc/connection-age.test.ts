import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../ops/log.ts';
import { Health } from '../wire/gen/grpc/health/v1/health_pb.ts';
import { dial } from './dial.ts';
import { healthService } from './health.ts';
import { createRpcServer } from './serve.ts';
import { listenUnix } from './unix-socket.ts';

test('a connection that has its age ends, and the next call makes a new one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'age-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'api.sock');
  const sockets: Socket[] = [];
  await using server = createRpcServer<undefined, undefined>({
    services: [healthService(async () => true)],
    intercept: async (_call, proceed) => proceed(undefined),
    maxConnectionAgeMilliseconds: 50,
    log: silentLog,
  });
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      sockets.push(socket);
      server.inject(socket, undefined);
    },
  });
  t.after(() => listener.close());
  using channel = dial({ address: `unix:${path}` });
  const health = channel.client(Health);
  await health.check({});
  const [first] = sockets;
  assert.ok(first);
  if (!first.closed) await once(first, 'close');
  await health.check({});
  assert.equal(sockets.length, 2);
});
