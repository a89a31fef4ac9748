import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
} from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { DescMethod } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { eventually } from '../../test/kit/programs.ts';
import { silentLog } from '../ops/log.ts';
import { Entry } from '../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createRpcServer } from './serve.ts';
import { encoded, methodPath } from './service.ts';
import { listenUnix } from './unix-socket.ts';

const { batchCreateEntry: unary, syncAuthorizedEntries: streaming } = Entry.method;
const KILOBYTE = 1024;
const BOUND = 100 * KILOBYTE;

async function start(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'held-'));
  t.after(() => rm(folder, { recursive: true }));
  let handled = 0;
  const server = createRpcServer<undefined, undefined>({
    services: [
      {
        desc: Entry,
        methods: [
          {
            desc: unary,
            async handle() {
              handled++;
              return encoded(new Uint8Array());
            },
          },
          {
            desc: streaming,
            async *handle(requests) {
              for await (const _ of requests as AsyncIterable<unknown>) {
                handled++;
                yield encoded(new Uint8Array());
              }
            },
          },
        ],
      },
    ],
    intercept: (_, proceed) => proceed(undefined),
    maxHeldBytes: BOUND,
    maxReceiveBytes: BOUND / 2,
    log: silentLog,
  });
  const path = join(folder, 'api.sock');
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      server.inject(socket, undefined);
    },
  });
  const sessions: ClientHttp2Session[] = [];
  t.after(async () => {
    for (const session of sessions) session.destroy();
    listener.close();
    await server[Symbol.asyncDispose]();
  });
  const open = () => {
    const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
    sessions.push(session);
    return session;
  };
  return { open, handled: () => handled };
}

const call = (
  session: ClientHttp2Session,
  method: DescMethod,
  headers: Record<string, string> = {},
): ClientHttp2Stream => {
  const stream = session.request({
    ':method': 'POST',
    ':path': methodPath(method),
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream.resume();
};

/** A message of one unknown member, which means nothing. */
const content = (kilobytes: number): Uint8Array =>
  new BinaryWriter()
    .tag(1000, WireType.LengthDelimited)
    .bytes(new Uint8Array(kilobytes * KILOBYTE))
    .finish();

function framed(bytes: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = Number(compressed);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** All of it, or all but its last byte. */
const message = (kilobytes: number, whole: boolean): Buffer =>
  framed(content(kilobytes)).subarray(0, whole ? undefined : -1);

for (const [what, method] of [
  ['a request', unary],
  ['a stream of requests', streaming],
] as const) {
  test(`beyond the bound of a connection ${what} that does not end is reset`, async (t) => {
    const { open, handled } = await start(t);
    const session = open();
    const streams = Array.from({ length: 5 }, () => call(session, method));
    for (const stream of streams) stream.write(message(30, false));
    await eventually(() => streams.filter(({ closed }) => closed).length === 2, 'the resets');
    assert.deepEqual(new Set(streams.map(({ rstCode }) => rstCode)), new Set([0, 11]));
    const other = call(open(), method); // of somebody else
    other.end(message(30, true));
    await once(other, 'close');
    assert.equal(handled(), 1);
  });
}

test('what is compressed counts as what it may become', async (t) => {
  const { open, handled } = await start(t);
  const session = open();
  const small = framed(gzipSync(content(30)), true);
  assert.ok(small.length < KILOBYTE);
  const streams = Array.from({ length: 5 }, () =>
    call(session, unary, { 'grpc-encoding': 'gzip' }),
  );
  for (const stream of streams) stream.write(small);
  await eventually(() => streams.some(({ closed }) => closed), 'a reset');
  const alone = call(open(), unary, { 'grpc-encoding': 'gzip' });
  alone.end(small);
  await once(alone, 'close');
  assert.deepEqual([alone.rstCode, handled()], [0, 1]);
});

test('what has been answered is held no more', async (t) => {
  const { open, handled } = await start(t);
  const session = open();
  for (let round = 0; round < 10; round++) {
    const stream = call(session, unary);
    stream.end(message(45, true));
    await once(stream, 'close');
    assert.equal(stream.rstCode, 0);
  }
  assert.equal(handled(), 10);
});

test('a stream may go on for ever, one message after another', async (t) => {
  const { open, handled } = await start(t);
  const stream = call(open(), streaming);
  for (let round = 1; round <= 10; round++) {
    const whole = message(45, true);
    // In pieces that cut through the head.
    for (const piece of [whole.subarray(0, 2), whole.subarray(2, 7), whole.subarray(7)]) {
      stream.write(piece);
      await new Promise(setImmediate);
    }
    await eventually(() => handled() === round, `message ${round}`);
  }
  assert.equal(stream.closed, false);
});

test('several small messages at once are no large one', async (t) => {
  const { open, handled } = await start(t);
  const stream = call(open(), streaming);
  stream.write(Buffer.concat(Array.from({ length: 50 }, () => message(8, true))));
  await eventually(() => handled() === 50, 'all messages');
  assert.equal(stream.closed, false);
});
