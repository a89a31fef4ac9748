import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../test/kit/programs.ts';
import { silentLog } from '../ops/log.ts';
import { Health } from '../wire/gen/grpc/health/v1/health_pb.ts';
import { dial } from './dial.ts';
import { createRpcServer, type RpcServerOptions } from './serve.ts';
import { encoded } from './service.ts';
import { listenUnix } from './unix-socket.ts';

/** What a call is answered with: much. */
const ANSWER_BYTES = 1024 * 1024;

/** The answer has come: it is much, and means nothing. */
const isUnreadable = (error: unknown): void => {
  assert.match(String(error), /illegal tag|Error parsing|deserializ/i);
};

/** A server of one method, and what it accepted. */
async function start(
  t: TestContext,
  options: Partial<RpcServerOptions<undefined, undefined>> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'hostile-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'api.sock');
  const accepted: Socket[] = [];
  let calls = 0;
  const answer = encoded(new Uint8Array(ANSWER_BYTES));
  const check = {
    desc: Health.method.check,
    async handle() {
      calls += 1;
      return answer;
    },
  };
  const server = createRpcServer<undefined, undefined>({
    services: [{ desc: Health, methods: [check] }],
    intercept: async (_call, proceed) => proceed(undefined),
    log: silentLog,
    ...options,
  });
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      accepted.push(socket);
      // As a listener that looks first who is there: the client's words have come by then.
      socket.once('readable', () => {
        server.inject(socket, undefined);
      });
    },
  });
  t.after(async () => {
    listener.close();
    await server[Symbol.asyncDispose]();
  });
  const shutDown = (milliseconds: number) => server.shutDown(milliseconds);
  return { path, accepted, calls: () => calls, shutDown };
}

const frame = (type: number, stream: number, payload = Buffer.alloc(0), flags = 0): Buffer => {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
};
const [DATA, HEADERS, SETTINGS, GOAWAY] = [0, 1, 4, 7];
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0),
]);
/** `:method POST`, `:scheme http`, `:path /x`, `:authority x`, and no end of the stream (RFC 7541 §6). */
const HEADER_BLOCK = Buffer.from([0x83, 0x86, 0x04, 0x02, 0x2f, 0x78, 0x01, 0x01, 0x78]);
const call = frame(HEADERS, 1, HEADER_BLOCK, 4);
/** Node gives the connection up, and closes it no more. */
const dying = Buffer.concat([preface, call, frame(GOAWAY, 0, Buffer.alloc(8)), frame(DATA, 0)]);
/** One more header, by its name. */
const literal = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.alloc(1),
    ...[name, value].flatMap((text) => [Buffer.of(text.length), Buffer.from(text)]),
  ]);

test('who says goodbye and then nonsense in the middle of a call does not stay', async (t) => {
  const { path, accepted } = await start(t, { keepAliveMilliseconds: 50 });
  const client = connect(path);
  client.on('error', () => undefined);
  client.resume();
  client.write(dying);
  await eventually(() => accepted.length === 1, 'the connection');
  client.destroy();
  await eventually(() => accepted[0]?.destroyed === true, 'the end of the connection');
});

for (const [what, contentType] of [
  ['that is no gRPC', 'text/plain'],
  ['of gRPC', 'application/grpc'],
] as const) {
  test(`a call ${what} that is over before it is looked at costs its connection and nothing else`, async (t) => {
    const { path, accepted } = await start(t);
    const client = connect(path);
    client.on('error', () => undefined);
    client.resume();
    const type = literal('content-type', contentType);
    const begun = frame(HEADERS, 1, Buffer.concat([HEADER_BLOCK, type]), 4);
    client.write(Buffer.concat([preface, begun, frame(DATA, 0)])); // which ends the connection
    await eventually(() => accepted[0]?.destroyed === true, 'the end of the connection');
    using channel = dial({ address: `unix:${path}`, maxReceiveBytes: 2 * ANSWER_BYTES });
    await channel.client(Health).check({}).catch(isUnreadable);
  });
}

test('what a header says is not written past the log', async (t) => {
  const { path, calls } = await start(t);
  const written = t.mock.method(console, 'error', () => undefined);
  const client = connect(path);
  t.after(() => client.destroy());
  client.on('error', () => undefined);
  client.resume();
  const headers = [
    HEADER_BLOCK.subarray(0, 2),
    literal(':path', '/grpc.health.v1.Health/Check'),
    literal(':authority', 'x'),
    literal('content-type', 'application/grpc'),
    literal('grpc-%', 'made up'),
  ];
  const begun = frame(HEADERS, 1, Buffer.concat(headers), 4);
  client.write(Buffer.concat([preface, begun, frame(DATA, 1, Buffer.alloc(5), 1)]));
  await eventually(() => calls() === 1, 'the call');
  assert.equal(written.mock.callCount(), 0);
});

test('who answers no ping does not stay, and who does may', async (t) => {
  const { path, accepted } = await start(t, { keepAliveMilliseconds: 50 });
  using channel = dial({ address: `unix:${path}`, maxReceiveBytes: 2 * ANSWER_BYTES });
  const living = channel.client(Health);
  await living.check({}).catch(isUnreadable);
  const silent = connect(path);
  silent.resume();
  silent.write(preface);
  await once(silent, 'close');
  const [first] = accepted;
  assert.equal(first?.destroyed, false);
});

test('who reads no answer gets no more calls, and costs a bounded memory', async (t) => {
  const { path, calls } = await start(t, { maxConnectionMegabytes: 8 });
  const client = connectHttp2('http://localhost', {
    createConnection: () => connect(path),
    settings: { initialWindowSize: 0 },
  });
  t.after(() => {
    client.destroy();
  });
  client.on('error', () => undefined);
  await once(client, 'remoteSettings');
  let refused = 0;
  for (let turn = 0; turn < 60; turn++) {
    const stream = client.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => (refused += 1));
    stream.end(Buffer.alloc(5));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await eventually(() => refused >= 40, `refusals; there are ${refused}`);
  assert.ok(calls() >= 4 && calls() <= 20, `${calls()} calls`);
});

test('a connection that is dead is not waited for', async (t) => {
  const { path, accepted, shutDown } = await start(t);
  const client = connect(path);
  client.on('error', () => undefined);
  client.resume();
  client.write(dying);
  await eventually(() => accepted.length === 1, 'the connection');
  client.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(accepted[0]?.destroyed, false);
  const started = performance.now();
  assert.equal(await shutDown(10_000), true);
  assert.ok(performance.now() - started < 5000);
});
