import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { mendAuthority, mendBlock } from './path-authority.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const frame = (type: number, flags: number, payload: Buffer, stream = 0): Buffer => {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
};
const SETTINGS = frame(4, 0, Buffer.alloc(0));
const ACK = frame(4, 1, Buffer.alloc(0));
const END_HEADERS = 4;
const END_STREAM = 1;

const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
/** As grpc-java says it: `:authority` is put into the table, to be referred to later. */
const block = (authority: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x83, 0x86, 0x41]), // POST, http, :authority
    text(authority),
    Buffer.from([0x44]), // :path
    text('/a.B/C'),
    Buffer.from([0x40]),
    text('te'),
    text('trailers'),
  ]);
const request = (authority: string, stream = 1): Buffer =>
  frame(1, END_HEADERS | END_STREAM, block(authority), stream);
const later = frame(1, END_HEADERS | END_STREAM, Buffer.from([0x83, 0x86, 0xc0, 0xbf]), 3);

/** Two ends of a connection; the first is the server's. */
async function pair(t: TestContext): Promise<[server: Socket, client: Socket]> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const listener = createServer({ pauseOnConnect: false });
  listener.listen(join(folder.path, 's'));
  await once(listener, 'listening');
  const client = connect(join(folder.path, 's'));
  const [server] = (await once(listener, 'connection')) as [Socket];
  for (const socket of [server, client]) {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  listener.close();
  return [server, client];
}

async function readAll(socket: Socket, length: number): Promise<Buffer> {
  let all = Buffer.alloc(0);
  while (all.length < length) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await once(socket, 'readable');
    else all = Buffer.concat([all, chunk]);
  }
  return all;
}

test('a path in :authority is replaced, byte for byte, and nothing else is', () => {
  const mended = block('/run/agent.sock');
  mendBlock(mended);
  assert.deepEqual(mended, block('-run-agent.sock'));
  for (const good of ['localhost', 'example.test:8081', '127.0.0.1', '']) {
    const same = block(good);
    mendBlock(same);
    assert.deepEqual(same, block(good));
  }
});

test('no block, however malformed, does more than end the walk', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const before = Buffer.from(bytes);
      mendBlock(Buffer.from(bytes));
      assert.deepEqual(before, Buffer.from(bytes));
    }),
  );
});

test('HTTP/2 gets the connection as the client opened it, however its bytes arrive', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 6 }), async (cuts) => {
      const [server, client] = await pair(t);
      const all = Buffer.concat([PREFACE, SETTINGS, request('/a/b.sock')]);
      const mended = mendAuthority(server);
      let from = 0;
      for (const cut of [...new Set(cuts), all.length].toSorted((a, b) => a - b)) {
        client.write(all.subarray(from, cut));
        await new Promise((resolve) => setImmediate(resolve));
        from = Math.min(cut, all.length);
      }
      // It was perhaps asked for a sign that it hears; a client gives that whenever it comes.
      if ((client.read() as Buffer | null) !== null) client.write(ACK);
      else client.once('readable', () => client.write(ACK));
      assert.equal(await mended, true);
      const expected = Buffer.concat([PREFACE, SETTINGS, request('-a-b.sock')]);
      assert.deepEqual(
        (await readAll(server, expected.length)).subarray(0, expected.length),
        expected,
      );
      server.destroy();
      client.destroy();
    }),
    { numRuns: 30 },
  );
});

test('a client that waits for the server’s settings is sent some, and its acknowledgement is taken out', async (t) => {
  const [server, client] = await pair(t);
  const http2 = createHttp2Server((incoming, outgoing) => {
    outgoing.end(incoming.headers[':authority'] ?? '');
  });
  const mended = mendAuthority(server);
  client.write(Buffer.concat([PREFACE, SETTINGS]));
  assert.deepEqual(await readAll(client, SETTINGS.length), SETTINGS);
  client.write(Buffer.concat([ACK, request('/run/agent.sock')]));
  assert.equal(await mended, true);
  const listener: NodeJS.EventEmitter = http2;
  listener.emit('connection', server);
  t.after(() => http2.close());
  let heard = '';
  client.on('data', (data: Buffer) => (heard += data.toString('latin1')));
  client.write(Buffer.concat([ACK, later]));
  const deadline = Date.now() + 5000;
  // Both the first request and the one that refers to it are answered.
  while (heard.split('-run-agent.sock').length < 3 && Date.now() < deadline)
    await once(client, 'data');
  assert.equal(heard.split('-run-agent.sock').length, 3);
});

test('what is not HTTP/2 is left to HTTP/2 to refuse', async (t) => {
  const [server, client] = await pair(t);
  const mended = mendAuthority(server);
  client.write('GET / HTTP/1.1\r\n\r\n');
  assert.equal(await mended, true);
  assert.equal((await readAll(server, 18)).toString(), 'GET / HTTP/1.1\r\n\r\n');
});

test('a client that leaves is gone', async (t) => {
  const [server, client] = await pair(t);
  const mended = mendAuthority(server);
  client.write(PREFACE);
  client.end();
  assert.equal(await mended, false);
});

test('a client that acknowledges, and then only pings, is handed over', async (t) => {
  const [server, client] = await pair(t);
  const mended = mendAuthority(server);
  const ping = frame(6, 0, Buffer.alloc(8));
  client.write(Buffer.concat([PREFACE, SETTINGS]));
  await readAll(client, SETTINGS.length);
  client.write(Buffer.concat([ACK, ping]));
  assert.equal(await mended, true);
  const expected = Buffer.concat([PREFACE, SETTINGS, ping]);
  assert.deepEqual(await readAll(server, expected.length), expected);
});

test('more than 64 KiB before a request is whole is not kept', async (t) => {
  const [server, client] = await pair(t);
  const mended = mendAuthority(server);
  const endless = frame(1, 0, Buffer.alloc(70_000), 1);
  client.write(Buffer.concat([PREFACE, SETTINGS, endless]));
  assert.equal(await mended, true);
});

/** A client that was sent settings, and what it may say after that. */
async function asked(t: TestContext) {
  const [server, client] = await pair(t);
  const mended = mendAuthority(server);
  client.write(Buffer.concat([PREFACE, SETTINGS]));
  assert.deepEqual(await readAll(client, SETTINGS.length), SETTINGS);
  return { server, client, mended };
}
const dataOf = (length: number) => frame(0, 0, Buffer.alloc(length), 1);
const data = dataOf(16_384);

test('who fills the window before it has read our settings is served', async (t) => {
  const { server, client, mended } = await asked(t);
  const head = request('/a/b.sock');
  client.write(Buffer.concat([head, data, data, data, dataOf(16_383), ACK]));
  assert.equal(await mended, true);
  assert.deepEqual((await readAll(server, PREFACE.length)).subarray(0, PREFACE.length), PREFACE);
});

test('who goes on and on without acknowledging our settings is turned away, and little of it is kept', async (t) => {
  const { server, client, mended } = await asked(t);
  client.write(request('/a/b.sock'));
  const flood = () => {
    while (!client.destroyed && client.write(data));
  };
  client.on('drain', flood);
  flood();
  assert.equal(await mended, false);
  assert.ok(server.bytesRead < 1024 * 1024, `${server.bytesRead} bytes were read`);
});
