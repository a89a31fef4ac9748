import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../test/kit/agent-world.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { noTracer } from '../../ops/tracing.ts';
import { dial } from '../../rpc/dial.ts';
import { healthService } from '../../rpc/health.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { servePublicEndpoint } from './public-endpoint.ts';

async function serve(maxConnectionsPerUser?: number) {
  const directory = await mkdtemp(join(tmpdir(), 'endpoint-'));
  const socketPath = join(directory, 'a/b/api.sock');
  const lines: LogLine[] = [];
  const endpoint = await servePublicEndpoint({
    socketPath,
    services: [healthService<WorkloadCall>(async () => true)],
    calls: { attest: async () => new Set(), ownPid: -1, log: silentLog },
    metrics: noMetrics,
    tracer: noTracer,
    clock: systemClock,
    log: recordingLog(lines),
    apis: 'none',
    ...(maxConnectionsPerUser !== undefined && { maxConnectionsPerUser }),
  });
  return {
    socketPath,
    lines,
    endpoint,
    async connect(): Promise<Socket> {
      const socket = connect(socketPath);
      socket.on('error', () => {}); // 'close' follows
      await once(socket, 'connect');
      return socket.resume();
    },
    async isHealthy(): Promise<boolean> {
      using channel = dial({ address: `unix:${socketPath}` });
      return (await channel.client(Health).check({})).status === 1;
    },
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

test('the socket is for everybody, and is gone when it is closed', async () => {
  await using place = await serve();
  assert.equal((await stat(place.socketPath)).mode & 0o777, 0o777);
  assert.ok(await place.isHealthy());
  await place.endpoint[Symbol.asyncDispose]();
  await assert.rejects(stat(place.socketPath), { code: 'ENOENT' });
});

test('a user may hold so many connections; more are closed, and one that ends makes room', async () => {
  await using place = await serve(3);
  const held = [await place.connect(), await place.connect(), await place.connect()];
  const fourth = await place.connect();
  await until(() => fourth.closed, 'the end of the fourth');
  assert.ok(held.every((socket) => !socket.destroyed));
  assert.equal(place.lines.at(-1)?.message, 'Too many connections of one user; closing the newest');
  held[0]?.destroy();
  assert.ok(await eventuallyHealthy(place));
  for (const socket of held) socket.destroy();
});

/** The server learns of the end of a connection a moment later than its other side. */
async function eventuallyHealthy(place: Awaited<ReturnType<typeof serve>>): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    if (await place.isHealthy().catch(() => false)) return true;
  }
  return false;
}

test('whoever says nothing, or no HTTP/2, does not keep others from being served', async () => {
  await using place = await serve();
  const silent = await place.connect();
  const half = await place.connect();
  half.end();
  const wrong = await place.connect();
  wrong.write('GET / HTTP/1.1\r\n\r\n'.repeat(100));
  await until(() => wrong.closed, 'the end of what is not HTTP/2');
  assert.ok(await place.isHealthy());
  silent.destroy();
  half.destroy();
});

test('stopping it ends the connections that are open', async () => {
  await using place = await serve();
  const silent = await place.connect();
  await place.endpoint[Symbol.asyncDispose]();
  await until(() => silent.closed, 'the end of the connection');
});
