import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../ops/log.ts';
import { Health } from '../wire/gen/grpc/health/v1/health_pb.ts';
import { dial } from './dial.ts';
import { healthService } from './health.ts';
import { createRpcServer } from './serve.ts';
import { methodPath } from './service.ts';
import { listenUnix } from './unix-socket.ts';

test('a call knows when its caller gives up', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'deadline-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'api.sock');
  const deadlines: number[] = [];
  await using server = createRpcServer<undefined, undefined>({
    services: [healthService(async () => true)],
    intercept: async (call, proceed) => {
      deadlines.push(call.deadline);
      await proceed(undefined);
    },
    log: silentLog,
  });
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      server.inject(socket, undefined);
    },
  });
  t.after(() => listener.close());
  using channel = dial({ address: `unix:${path}` });
  const health = channel.client(Health);

  const before = Date.now();
  await health.check({}, { timeoutMilliseconds: 20_000 });
  await health.check({});

  const [first = 0, second] = deadlines;
  assert.ok(first > before + 15_000 && first <= Date.now() + 20_000, `deadline ${first}`);
  assert.equal(second, Number.POSITIVE_INFINITY);

  // Longer than any timer: 24 days and more.
  for (const timeout of ['2147484S', '99999999M', '99999999H']) {
    await check(path, timeout);
    assert.equal(deadlines.at(-1), Number.POSITIVE_INFINITY, timeout);
  }
});

async function check(path: string, timeout: string): Promise<void> {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  const stream = session.request({
    ':method': 'POST',
    ':path': methodPath(Health.method.check),
    'content-type': 'application/grpc',
    'grpc-timeout': timeout,
    te: 'trailers',
  });
  let status: unknown;
  for (const end of ['response', 'trailers']) {
    stream.on(end, (headers: Record<string, unknown>) => (status = headers['grpc-status']));
  }
  setTimeout(() => stream.end(new Uint8Array(5)), 20); // time enough to be late
  stream.resume();
  await once(stream, 'close');
  session.destroy();
  assert.equal(status, '0', timeout);
}
