import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DescMethod, Message } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { silentLog } from '../ops/log.ts';
import { Entry } from '../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createRpcServer, type RpcCall } from './serve.ts';
import { encoded, methodPath } from './service.ts';
import { listenUnix } from './unix-socket.ts';

const { batchCreateEntry, syncAuthorizedEntries } = Entry.method;
const MALFORMED = Uint8Array.of(0x0a, 5, 1);
/** Nothing but entries, and nothing in them. */
const BOMB = Buffer.alloc(4 * 1024 * 1024 - 16, Uint8Array.of(0x0a, 0));

/** Asks a server, whose interceptor is given, with those bytes; resolves with the status and its text. */
async function start(t: TestContext, intercept: (call: RpcCall<undefined>) => void) {
  const folder = await mkdtemp(join(tmpdir(), 'undecoded-'));
  t.after(() => rm(folder, { recursive: true }));
  const handled: unknown[] = [];
  const server = createRpcServer<undefined, undefined>({
    services: [
      {
        desc: Entry,
        methods: [
          {
            desc: batchCreateEntry,
            async handle(request) {
              handled.push(request);
              return encoded(new Uint8Array());
            },
          },
          {
            desc: syncAuthorizedEntries,
            async *handle(requests) {
              for await (const request of requests as AsyncIterable<Message>) {
                handled.push(request);
                yield encoded(new Uint8Array());
              }
            },
          },
        ],
      },
    ],
    intercept: async (call, proceed) => {
      intercept(call);
      await proceed(undefined);
    },
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
  t.after(async () => {
    listener.close();
    await server[Symbol.asyncDispose]();
  });
  return { handled, ask: (method: DescMethod, bytes: Uint8Array) => ask(path, method, bytes) };
}

async function ask(path: string, method: DescMethod, bytes: Uint8Array): Promise<string[]> {
  const client = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  const stream = client.request({
    ':method': 'POST',
    ':path': methodPath(method),
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const length = Buffer.alloc(5);
  length.writeUInt32BE(bytes.length, 1);
  stream.end(Buffer.concat([length, bytes]));
  const headers: IncomingHttpHeaders = {};
  stream.on('response', (got) => Object.assign(headers, got));
  stream.on('trailers', (got) => Object.assign(headers, got));
  stream.resume();
  await once(stream, 'close');
  client.destroy();
  return ['grpc-status', 'grpc-message'].map((name) => decodeURIComponent(String(headers[name])));
}

for (const [what, bytes] of [
  ['malformed', MALFORMED],
  ['costly', BOMB],
] as const) {
  test(`a ${what} request of somebody who may not ask is not looked at`, async (t) => {
    const { ask: send, handled } = await start(t, () => {
      throw new Fault('denied', 'not you');
    });
    for (const method of [batchCreateEntry, syncAuthorizedEntries]) {
      assert.deepEqual(await send(method, bytes), ['7', 'not you']);
    }
    assert.deepEqual(handled, []);
  });
}

for (const [how, intercept] of [
  ['asked', () => undefined],
  ['asked by an interceptor that looks at it', (call: RpcCall<undefined>) => call.request?.message],
] as const) {
  test(`${how}, a malformed request is refused in grpc-go's words, and a costly one before it is made`, async (t) => {
    const { ask: send, handled } = await start(t, intercept);
    for (const method of [batchCreateEntry, syncAuthorizedEntries]) {
      const [status, text] = await send(method, MALFORMED);
      assert.equal(status, '13');
      assert.match(text ?? '', /^grpc: error unmarshalling request: ./);
    }
    assert.deepEqual(await send(batchCreateEntry, BOMB), [
      '8',
      'the request has too many parts for its size',
    ]);
    assert.deepEqual(handled, []);
  });
}

test('an empty request is one', async (t) => {
  const { ask: send, handled } = await start(t, () => undefined);
  for (const method of [batchCreateEntry, syncAuthorizedEntries]) {
    assert.equal((await send(method, new Uint8Array()))[0], '0');
  }
  assert.equal(handled.length, 2);
});
