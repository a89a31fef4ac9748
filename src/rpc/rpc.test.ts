import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { create, createFileRegistry, type DescService, toBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
  type StringValue,
  StringValueSchema,
} from '@bufbuild/protobuf/wkt';
import { type DenialReason, Fault, type FaultKind } from '../base/fault.ts';
import { silentLog } from '../ops/log.ts';
import { ServerReflection } from '../wire/gen/grpc/reflection/v1/reflection_pb.ts';
import { dial } from './dial.ts';
import { peerCredentials, peerProcessHandle } from './peer-credentials.ts';
import { reflectionServices } from './reflection.ts';
import { createRpcServer, type RpcCall, type RpcServerOptions } from './serve.ts';
import { encoded, implement } from './service.ts';
import { rpcErrorText } from './status.ts';
import { listenUnix } from './unix-socket.ts';
import { unknownMethodText } from './unknown-method.ts';

/** A service with every shape that a method can have. */
const Echo = echoService();
type Context = { readonly call: RpcCall<string> };

/** What the handlers throw for a text that starts with `fail:`. */
function check({ value }: StringValue): void {
  const [, kind, denial] = /^fail:([a-z-]+)(?::([a-z-]+))?$/.exec(value) ?? [];
  if (kind === 'bug') throw new TypeError('a bug');
  if (kind === undefined) return;
  throw new Fault(kind as FaultKind, `as asked: ${kind}`, {
    ...(denial !== undefined && { denial: denial as DenialReason }),
  });
}

const signals: AbortSignal[] = [];
const reasonKind = (): unknown => {
  const reason: unknown = signals[0]?.reason;
  return reason instanceof Fault ? reason.kind : reason;
};
const echo = {
  async unary(request: StringValue, { call }: Context) {
    check(request);
    if (request.value === 'encoded') {
      return encoded(toBinary(StringValueSchema, create(StringValueSchema, { value: 'bytes' })));
    }
    if (request.value === 'peer') return { value: `${call.peer} ${call.method}` };
    if (request.value === 'header') return { value: call.header('x-test').join('+') };
    if (request.value === 'wait') await aborted(call.signal);
    return { value: request.value };
  },
  async *serverStream(request: StringValue, { call }: Context) {
    if (request.value === 'flood') {
      for (;;) yield { value: 'x'.repeat(100_000) };
    }
    for (const value of request.value.split(',')) {
      if (value === 'wait') await aborted(call.signal);
      check({ value } as StringValue);
      yield { value };
    }
  },
  async clientStream(requests: AsyncIterable<StringValue>) {
    let value = '';
    for await (const request of requests) {
      check(request);
      value += request.value;
    }
    return { value };
  },
  async *bidi(requests: AsyncIterable<StringValue>) {
    for await (const request of requests) {
      check(request);
      yield { value: `${request.value}!` };
    }
  },
};

async function aborted(signal: AbortSignal): Promise<never> {
  signals.push(signal);
  await new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', resolve, { once: true });
  });
  throw signal.reason as Error;
}

test('a unary call is answered', async (t) => {
  const { client } = await startEcho(t);
  assert.equal((await client.unary({ value: 'hello' })).value, 'hello');
});

test('bytes that are already encoded are sent as they are', async (t) => {
  const { client } = await startEcho(t);
  assert.equal((await client.unary({ value: 'encoded' })).value, 'bytes');
});

test('the interceptor sees the connection’s peer, the method and the headers', async (t) => {
  const { client } = await startEcho(t);
  assert.equal((await client.unary({ value: 'peer' })).value, 'peer-1 /test.Echo/Unary');
  const { value } = await client.unary({ value: 'header' }, { headers: { 'x-test': 'there' } });
  assert.equal(value, 'there');
});

test('each connection keeps its own peer', async (t) => {
  const { client, dialAgain } = await startEcho(t);
  const other = dialAgain();
  assert.match((await client.unary({ value: 'peer' })).value, /^peer-1 /);
  assert.match((await other.unary({ value: 'peer' })).value, /^peer-2 /);
  assert.match((await client.unary({ value: 'peer' })).value, /^peer-1 /);
});

test('the other shapes stream in order', async (t) => {
  const { client } = await startEcho(t);
  const requests = async function* () {
    yield { value: 'a' };
    yield { value: 'b' };
  };
  assert.deepEqual(await values(client.serverStream({ value: '1,2,3' })), ['1', '2', '3']);
  assert.equal((await client.clientStream(requests())).value, 'ab');
  assert.deepEqual(await values(client.bidi(requests())), ['a!', 'b!']);
});

const failures: readonly [request: string, kind: FaultKind, message: string][] = [
  ['fail:not-found', 'not-found', 'as asked: not-found'],
  ['fail:denied', 'denied', 'as asked: denied'],
  ['fail:unavailable', 'unavailable', 'as asked: unavailable'],
  ['fail:bug', 'unknown', 'a bug'],
];
for (const [value, kind, message] of failures) {
  test(`${value} reaches the caller of every shape`, async (t) => {
    const { client } = await startEcho(t);
    const requests = async function* () {
      yield { value };
    };
    await assert.rejects(client.unary({ value }), { kind, message });
    await assert.rejects(client.clientStream(requests()), { kind, message });
    await assert.rejects(values(client.serverStream({ value: `1,${value}` })), { kind, message });
    await assert.rejects(values(client.bidi(requests())), { kind, message });
  });
}

test('a denial carries its reason', async (t) => {
  const { client } = await startEcho(t);
  await assert.rejects(client.unary({ value: 'fail:denied:banned' }), { denial: 'banned' });
  await assert.rejects(client.unary({ value: 'fail:denied' }), { denial: undefined });
});

test('what the interceptor refuses never reaches a handler', async (t) => {
  const { client } = await startEcho(t, {
    intercept: () => Promise.reject(new Fault('denied', 'not you')),
  });
  await assert.rejects(client.unary({ value: 'x' }), { kind: 'denied', message: 'not you' });
  await assert.rejects(values(client.serverStream({ value: 'x' })), { message: 'not you' });
});

test('an interceptor that neither refuses nor proceeds is a bug that the caller is told of', async (t) => {
  const { client } = await startEcho(t, { intercept: () => Promise.resolve() });
  await assert.rejects(client.unary({ value: 'x' }), { kind: 'internal' });
});

test('a caller who goes away aborts the call', async (t) => {
  const { client } = await startEcho(t);
  const leaving = new AbortController();
  const call = client.unary({ value: 'wait' }, { signal: leaving.signal });
  await until(() => signals.length === 1);
  leaving.abort(new Error('I left'));
  await assert.rejects(call, { message: 'I left' });
  await until(() => signals[0]?.aborted === true);
  assert.equal(reasonKind(), 'canceled');
});

test('leaving a stream early ends it on the other side', async (t) => {
  const { client } = await startEcho(t);
  for await (const { value } of client.serverStream({ value: '1,wait' })) {
    assert.equal(value, '1');
    await until(() => signals.length === 1);
    break;
  }
  await until(() => signals[0]?.aborted === true);
});

test('a deadline ends the call on both sides', async (t) => {
  const { client } = await startEcho(t);
  await assert.rejects(client.unary({ value: 'wait' }, { timeoutMilliseconds: 50 }), {
    kind: 'deadline',
    message: 'context deadline exceeded',
  });
  await until(() => signals[0]?.aborted === true);
});

test('a request over the limit is refused', async (t) => {
  const { client } = await startEcho(t, { maxReceiveBytes: 1000 });
  await assert.rejects(client.unary({ value: 'x'.repeat(1001) }), { kind: 'exhausted' });
  assert.equal((await client.unary({ value: 'x'.repeat(900) })).value.length, 900);
});

test('shutting down lets a running call finish, then ends what goes on', async (t) => {
  const { client, server } = await startEcho(t);
  const stream = values(client.serverStream({ value: '1,wait' }));
  await until(() => signals.length === 1);
  const down = server.shutDown(20);
  await assert.rejects(stream);
  await down;
  assert.equal(reasonKind(), 'unavailable');
});

test('a connection that comes while the server is leaving is turned away, and not waited for', async (t) => {
  const { client, server, dialAgain } = await startEcho(t);
  const running = values(client.serverStream({ value: '1,wait' }));
  await until(() => signals.length === 1);
  const down = server.shutDown(200);
  await assert.rejects(dialAgain().unary({ value: 'late' }), { kind: 'unavailable' });
  await assert.rejects(running);
  await down;
});

test('a reader who never reads holds no more than the stream’s buffers', async (t) => {
  const { client, server } = await startEcho(t);
  const stream = client.serverStream({ value: 'flood' })[Symbol.asyncIterator]();
  await stream.next();
  const before = process.memoryUsage().external;
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(process.memoryUsage().external - before < 50_000_000);
  await server.shutDown(0);
  await assert.rejects(async () => {
    while (!(await stream.next()).done);
  });
});

test('what is not served is refused in grpc-go’s words', async (t) => {
  const { channel } = await startEcho(t);
  const reflection = channel.client(ServerReflection).serverReflectionInfo(
    (async function* () {
      yield { messageRequest: { case: 'listServices', value: '' } } as const;
    })(),
  );
  await assert.rejects(Array.fromAsync(reflection), {
    kind: 'unimplemented',
    message: 'unknown service grpc.reflection.v1.ServerReflection',
  });
  const services = new Set(['test.Echo']);
  assert.equal(
    unknownMethodText('/test.Echo/Other', services),
    'unknown method Other for service test.Echo',
  );
  assert.equal(unknownMethodText('nonsense', services), 'malformed method name: "nonsense"');
});

const dialFailures: readonly [why: string, address: string, text: RegExp][] = [
  [
    'no socket',
    'unix:/nonexistent/x.sock',
    /^connection error: desc = "transport: Error while dialing: dial unix \/nonexistent\/x\.sock: connect: no such file or directory"$/,
  ],
  [
    'a closed port',
    '127.0.0.1:1',
    /^connection error: desc = "transport: Error while dialing: dial tcp 127\.0\.0\.1:1: connect: connection refused"$/,
  ],
];
for (const [why, address, text] of dialFailures) {
  test(`dialling ${why} says so in Go’s words`, async () => {
    using channel = dial({ address });
    const failed = await echoClient(channel.client(Echo))
      .unary({ value: '' })
      .then(
        () => assert.fail('it connected'),
        (thrown: Fault) => thrown,
      );
    assert.equal(failed.kind, 'unavailable');
    assert.match(failed.message, text);
    assert.ok(rpcErrorText(failed).startsWith('rpc error: code = Unavailable desc = connection'));
  });
}

test('reflection lists services, and finds files by name and symbol', async (t) => {
  const { channel } = await startEcho(t, { services: reflectionServices([Echo]) });
  const client = channel.client(ServerReflection);
  const ask = async function* () {
    yield { messageRequest: { case: 'listServices', value: '' } } as const;
    yield { messageRequest: { case: 'fileContainingSymbol', value: 'test.Echo.Bidi' } } as const;
    yield { messageRequest: { case: 'fileByFilename', value: 'echo.proto' } } as const;
    yield { messageRequest: { case: 'fileByFilename', value: '../etc/passwd' } } as const;
    yield { messageRequest: { case: 'fileContainingSymbol', value: 'test.None' } } as const;
  };
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(ask())) {
    answers.push(messageResponse);
  }
  const [list, bySymbol, byName, ...unknown] = answers;
  assert.ok(list?.case === 'listServicesResponse');
  assert.deepEqual(
    list.value.service.map(({ name }) => name),
    [
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'test.Echo',
    ],
  );
  assert.ok(
    bySymbol?.case === 'fileDescriptorResponse' && byName?.case === 'fileDescriptorResponse',
  );
  assert.equal(bySymbol.value.fileDescriptorProto.length, 2);
  assert.deepEqual(bySymbol.value, byName.value);
  for (const each of unknown) {
    assert.ok(each.case === 'errorResponse');
    assert.equal(each.value.errorCode, 5);
  }
});

test('the kernel names the process at the other end', async (t) => {
  const folder = await scratch(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await listenUnix(join(folder, 's.sock'), {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection(socket) {
      const { pid, uid, gid } = peerCredentials(socket);
      assert.deepEqual([pid, uid, gid], [process.pid, process.getuid?.(), process.getgid?.()]);
      using handle = peerProcessHandle(socket);
      assert.ok(handle === undefined || handle.isAlive());
      socket.destroy();
      assert.throws(() => peerCredentials(socket), { kind: 'unavailable' });
      resolve();
    },
  });
  t.after(() => close(server));
  connect(join(folder, 's.sock')).on('error', () => {});
  await promise;
});

type EchoOptions = Partial<RpcServerOptions<string, Context>>;

async function startEcho(t: TestContext, options: EchoOptions = {}) {
  signals.length = 0;
  const folder = await scratch(t);
  const server = createRpcServer<string, Context>({
    intercept: (call, proceed) => proceed({ call }),
    log: silentLog,
    ...options,
    services: [implement<DescService, Context>(Echo, echo as never), ...(options.services ?? [])],
  });
  let peers = 0;
  const path = join(folder, 'echo.sock');
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      peers += 1;
      server.inject(socket, `peer-${peers}`);
    },
  });
  const channels: Disposable[] = [];
  const open = () => {
    const channel = dial({ address: `unix:${path}` });
    channels.push(channel);
    return channel;
  };
  t.after(async () => {
    for (const channel of channels) channel[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
    await close(listener);
  });
  const channel = open();
  return {
    server,
    channel,
    client: echoClient(channel.client(Echo)),
    dialAgain: () => echoClient(open().client(Echo)),
  };
}

type Value = { readonly value: string };
type CallOptions = {
  signal?: AbortSignal;
  timeoutMilliseconds?: number;
  headers?: Record<string, string>;
};
type EchoClient = {
  unary(request: Value, options?: CallOptions): Promise<Value>;
  serverStream(request: Value, options?: CallOptions): AsyncIterable<Value>;
  clientStream(requests: AsyncIterable<Value>, options?: CallOptions): Promise<Value>;
  bidi(requests: AsyncIterable<Value>, options?: CallOptions): AsyncIterable<Value>;
};

/** Generated services have these types; this one is made at run time. */
const echoClient = (client: object): EchoClient => client as EchoClient;

async function values(stream: AsyncIterable<Value>): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of stream) found.push(value);
  return found;
}

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rpc-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const close = (server: NetServer): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'timed out');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function echoService(): DescService {
  const type = '.google.protobuf.StringValue';
  const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => ({
    name,
    inputType: type,
    outputType: type,
    clientStreaming,
    serverStreaming,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'echo.proto',
    package: 'test',
    syntax: 'proto3',
    dependency: ['google/protobuf/wrappers.proto'],
    service: [
      {
        name: 'Echo',
        method: [
          method('Unary', false, false),
          method('ServerStream', false, true),
          method('ClientStream', true, false),
          method('Bidi', true, true),
        ],
      },
    ],
  });
  const registry = createFileRegistry(
    create(FileDescriptorSetSchema, { file: [file_google_protobuf_wrappers.proto, file] }),
  );
  const service = registry.getService('test.Echo');
  assert.ok(service !== undefined);
  return service;
}
