import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ConnectProxy } from '../../test/kit/connect-proxy.ts';
import { FakeServer } from '../../test/kit/fake-server.ts';
import { systemClock } from '../base/clock.ts';
import { Bundle } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { connectThrough } from './connect-through.ts';
import { dial } from './dial.ts';

const ADDRESS = 'server.test:8081';

async function world(t: TestContext) {
  const server = await FakeServer.start({ clock: systemClock });
  const proxy = await ConnectProxy.start({ [ADDRESS]: server.port });
  t.after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  const verified: number[] = [];
  const getBundle = async (variables: Record<string, string>, address = ADDRESS) => {
    using channel = dial({
      address,
      tls: { verify: (chain) => void verified.push(chain.length) },
      proxyVariables: variables,
    });
    return await channel.client(Bundle).getBundle({}, { timeoutMilliseconds: 10_000 });
  };
  const HTTPS_PROXY = `http://me:secret@127.0.0.1:${proxy.port}`;
  return { server, proxy, verified, getBundle, HTTPS_PROXY };
}

test('a call goes through the proxy, which is told the name, and the server is verified all the same', async (t) => {
  const { proxy, verified, getBundle, HTTPS_PROXY } = await world(t);
  assert.equal((await getBundle({ HTTPS_PROXY })).trustDomain, 'fake.test');
  assert.deepEqual(proxy.asked, [{ target: ADDRESS, authorization: `Basic ${btoa('me:secret')}` }]);
  assert.equal(verified.length, 1);
});

test('what is excepted is reached directly', async (t) => {
  const { server, proxy, getBundle, HTTPS_PROXY } = await world(t);
  const { trustDomain } = await getBundle({ HTTPS_PROXY }, server.address);
  assert.equal(trustDomain, 'fake.test');
  await assert.rejects(getBundle({ HTTPS_PROXY, NO_PROXY: 'server.test' }), {
    kind: 'unavailable',
  });
  assert.deepEqual(proxy.asked, []);
});

const refusals: readonly [why: string, head: string, shown: string][] = [
  [
    'credentials are asked for',
    'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
    'HTTP/1.1 407 Proxy Authentication Required',
  ],
  ['it may not', 'HTTP/1.1 403 No\r\n\r\n', 'HTTP/1.1 403 No'],
  ['another success is answered', 'HTTP/1.1 204 None\r\n\r\n', 'HTTP/1.1 204 None'],
  ['no HTTP is spoken', '+OK ready\r\n\r\n', '+OK ready'],
];
for (const [why, refusal, shown] of refusals) {
  test(`fails, and says so, where ${why}`, async (t) => {
    const { proxy, verified, getBundle, HTTPS_PROXY } = await world(t);
    proxy.answer = { refusal };
    await assert.rejects(getBundle({ HTTPS_PROXY }), {
      kind: 'unavailable',
      message: `connection error: desc = "transport: Error while dialing: the HTTP proxy answered "${shown}""`,
    });
    assert.equal(verified.length, 0);
  });
}

test('fails where there is no proxy', async (t) => {
  const { proxy, getBundle } = await world(t);
  await proxy[Symbol.asyncDispose]().catch(() => undefined);
  await assert.rejects(getBundle({ HTTPS_PROXY: '127.0.0.1:1' }), {
    kind: 'unavailable',
    message:
      'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"',
  });
});

test('a proxy of a kind that we do not speak to is refused at once', async (t) => {
  const { getBundle } = await world(t);
  await assert.rejects(getBundle({ HTTPS_PROXY: 'socks5://me:secret@127.0.0.1:1' }), {
    kind: 'invalid',
    message: 'HTTPS_PROXY names a proxy that is not supported: socks5://',
  });
});

/** Both ends of a connection to a proxy that the test plays. */
async function played(t: TestContext): Promise<{ near: Socket; proxy: Socket }> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(typeof address === 'object' && address !== null);
  const near = connectTcp(address.port, '127.0.0.1');
  const [proxy] = (await once(listener, 'connection')) as [Socket];
  for (const end of [near, proxy]) end.on('error', () => undefined);
  t.after(() => {
    near.destroy();
    proxy.destroy();
    listener.close();
  });
  return { near, proxy };
}

test("the server's first bytes are left to be read", async (t) => {
  const { near, proxy } = await played(t);
  const through = connectThrough(near, { authorization: undefined }, ADDRESS);
  const [request] = (await once(proxy, 'data')) as [Buffer];
  assert.equal(String(request), `CONNECT ${ADDRESS} HTTP/1.1\r\nHost: ${ADDRESS}\r\n\r\n`);
  proxy.write('HTTP/1.0 200\r\n\r\nhello');
  await through;
  const [data] = (await once(near, 'data')) as [Buffer];
  assert.equal(String(data), 'hello');
});

const hostile: readonly [why: string, play: (proxy: Socket) => void, message: string][] = [
  [
    'never ends its answer',
    (proxy) => proxy.write(`HTTP/1.1 200 ${'x'.repeat(20_000)}`),
    'the HTTP proxy answered too much',
  ],
  ['says nothing', () => undefined, 'the HTTP proxy did not answer in time'],
  [
    'ends in the middle',
    (proxy) => proxy.end('HTTP/1.1 200 '),
    'the HTTP proxy closed the connection',
  ],
  ['goes away', (proxy) => proxy.resetAndDestroy(), 'the HTTP proxy closed the connection'],
];
for (const [why, play, message] of hostile) {
  test(`a proxy that ${why} is given up`, async (t) => {
    const { near, proxy } = await played(t);
    const through = connectThrough(near, { authorization: undefined }, ADDRESS, 200);
    play(proxy);
    await assert.rejects(through, { kind: 'unavailable', message });
    assert.equal(near.listenerCount('readable'), 0);
  });
}
