import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../../../test/kit/agent-world.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { noTracer } from '../../ops/tracing.ts';
import { dial } from '../../rpc/dial.ts';
import { healthService } from '../../rpc/health.ts';
import { methodPath } from '../../rpc/service.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { servePublicEndpoint } from './public-endpoint.ts';
import { type UserMaxima, WORKLOAD_MAXIMA } from './user-limits.ts';

async function serve(maxima: Partial<UserMaxima> = {}) {
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
    maximaOfUser: { ...WORKLOAD_MAXIMA, ...maxima },
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
  await using place = await serve({ connections: 3 });
  const held = [await place.connect(), await place.connect(), await place.connect()];
  const fourth = await place.connect();
  await until(() => fourth.closed, 'the end of the fourth');
  assert.ok(held.every((socket) => !socket.destroyed));
  assert.equal(place.lines.at(-1)?.message, 'Too many connections of one user; closing the newest');
  held[0]?.destroy();
  assert.ok(await eventuallyHealthy(place));
  for (const socket of held) socket.destroy();
});

describe('over all of their connections, a user may have', () => {
  const check = methodPath(Health.method.check);
  const begin = (place: Awaited<ReturnType<typeof serve>>) => {
    const session = connectHttp2('http://localhost', {
      createConnection: () => connect(place.socketPath),
    });
    return {
      session,
      call: (bytes = Buffer.alloc(0)) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': check,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        const state = { stream, code: 0 };
        stream.on('error', () => {});
        stream.once('close', () => (state.code = stream.rstCode ?? 0));
        stream.write(bytes);
        return state;
      },
    };
  };
  const { NGHTTP2_ENHANCE_YOUR_CALM: ENHANCE_YOUR_CALM } = constants;

  test('so many calls', async () => {
    await using place = await serve({ calls: 3 });
    const [first, second] = [begin(place), begin(place)];
    const held = [first.call(), first.call(), second.call()];
    await once(second.session, 'remoteSettings');
    const fourth = second.call();
    await until(() => fourth.stream.closed, 'the end of the fourth');
    assert.equal(fourth.code, ENHANCE_YOUR_CALM);
    assert.equal(place.lines.at(-1)?.message, 'Too many calls of one user; refusing the newest');
    await assert.rejects(place.isHealthy(), { kind: 'exhausted' });
    assert.ok(held.every(({ stream }) => !stream.closed));
    held[0]?.stream.close();
    assert.ok(await eventuallyHealthy(place));
    for (const { session } of [first, second]) session.destroy();
    for (let round = 0; round < 10; round++) assert.ok(await eventuallyHealthy(place));
  });

  test('so many bytes of requests', async () => {
    await using place = await serve({ heldBytes: 100_000 });
    const long = Buffer.concat([Buffer.of(0, 0, 1, 0, 0), Buffer.alloc(40_000)]);
    const sessions = [begin(place), begin(place), begin(place)];
    const calls = sessions.map(({ call }) => call(long));
    await until(() => calls.some(({ stream }) => stream.closed), 'the end of one');
    assert.equal(calls.filter(({ code }) => code === ENHANCE_YOUR_CALM).length, 1);
    assert.equal(place.lines.at(-1)?.message, 'Too long requests of one user; refusing the newest');
    assert.ok(await eventuallyHealthy(place));
    for (const { session } of sessions) session.destroy();
  });
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
