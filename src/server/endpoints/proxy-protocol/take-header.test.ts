import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { takeProxyHeader } from './take-header.ts';

/** Both ends of a connection. */
async function connection(t: TestContext): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = connect(address.port, '127.0.0.1');
  const [server] = (await once(listener, 'connection')) as [Socket];
  for (const end of [client, server]) end.on('error', () => undefined);
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { client, server };
}

const LINE = 'PROXY TCP4 192.0.2.1 198.51.100.1 4711 8081\r\n';

test('what follows the header is left to be read', async (t) => {
  const { client, server } = await connection(t);
  client.write(`${LINE}hello`);
  assert.deepEqual(await takeProxyHeader(server), { address: '192.0.2.1', port: 4711 });
  assert.equal(String(await firstData(server)), 'hello');
});

test('a header may come byte by byte', async (t) => {
  const { client, server } = await connection(t);
  client.setNoDelay(true);
  const taken = takeProxyHeader(server);
  for (const byte of LINE) {
    client.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await taken, { address: '192.0.2.1', port: 4711 });
  client.write('x');
  assert.equal(String(await firstData(server)), 'x');
});

test('without a header everything is left to be read', async (t) => {
  const { client, server } = await connection(t);
  client.write('\x16\x03\x01');
  assert.equal(await takeProxyHeader(server), undefined);
  assert.equal(String(await firstData(server)), '\x16\x03\x01');
});

test('a wrong header is refused', async (t) => {
  const { client, server } = await connection(t);
  client.write('PROXY TCP4 nowhere\r\n');
  await assert.rejects(takeProxyHeader(server), { kind: 'invalid' });
});

test('who says nothing is not waited for', async (t) => {
  const { client, server } = await connection(t);
  client.write('PROX');
  await assert.rejects(takeProxyHeader(server, 20), { kind: 'deadline' });
  assert.equal(server.listenerCount('readable'), 0);
});

test('who goes away is not waited for', async (t) => {
  const { client, server } = await connection(t);
  client.end('PROX');
  await assert.rejects(takeProxyHeader(server), { kind: 'unavailable' });
});

test('who resets the connection is not waited for', async (t) => {
  const { client, server } = await connection(t);
  const taken = takeProxyHeader(server);
  client.resetAndDestroy();
  await assert.rejects(taken, { kind: 'unavailable' });
});

async function firstData(socket: Socket): Promise<unknown> {
  const [data] = (await once(socket, 'data')) as unknown[];
  return data;
}
