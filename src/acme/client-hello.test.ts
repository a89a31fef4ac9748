import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket, connect as tcpConnect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import { WebOfTrust } from '../../test/kit/https-endpoint.ts';
import { Fault } from '../base/fault.ts';
import { writePem } from '../crypto/pem.ts';
import { type ClientHello, MAX_CLIENT_HELLO_BYTES, readClientHello } from './client-hello.ts';
import { peekClientHello } from './peek-client-hello.ts';
import { supportsEcdsa } from './supports-ecdsa.ts';

/** What a client of Node's, which is OpenSSL, says first. */
async function helloOf(t: TestContext, options: ConnectionOptions = {}): Promise<Uint8Array> {
  const received = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    socket.once('data', received.resolve);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', ...options });
  client.on('error', () => undefined);
  t.after(() => {
    client.destroy();
    server.close();
  });
  return new Uint8Array(await received.promise);
}

test('a hello says whom it wants, and by which protocols', async (t) => {
  const bytes = await helloOf(t, {
    servername: 'Bundles.B.test',
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  const hello = readClientHello(bytes);
  assert.equal(hello?.serverName, 'bundles.b.test');
  assert.deepEqual(hello.protocols, ['h2', 'http/1.1']);
  assert.ok(supportsEcdsa(hello));
});

test('a hello that says nothing is one, too', async (t) => {
  const hello = readClientHello(await helloOf(t));
  assert.equal(hello?.serverName, undefined);
  assert.deepEqual(hello?.protocols, []);
});

const clients: readonly [what: string, options: ConnectionOptions, ecdsa: boolean][] = [
  ['TLS 1.2 with all suites', { maxVersion: 'TLSv1.2' }, true],
  ['TLS 1.3 only', { minVersion: 'TLSv1.3' }, true],
  ['RSA suites only', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, false],
  ['RSA signatures only', { sigalgs: 'RSA-PSS+SHA256:RSA+SHA256' }, false],
  ['no P-256', { ecdhCurve: 'X25519' }, false],
];
for (const [what, options, ecdsa] of clients) {
  test(`a client with ${what} gets ${ecdsa ? 'an ECDSA' : 'an RSA'} certificate`, async (t) => {
    const hello = readClientHello(await helloOf(t, options));
    assert.equal(hello && supportsEcdsa(hello), ecdsa);
  });
}

test('a hello in pieces, or in several records, is waited for', async (t) => {
  const bytes = await helloOf(t, { servername: 'b.test' });
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readClientHello(bytes.subarray(0, length)), undefined, `${length} bytes`);
  }
  const handshake = bytes.subarray(5);
  const records = [handshake.subarray(0, 3), handshake.subarray(3, 100), handshake.subarray(100)];
  const split = Buffer.concat(
    records.flatMap((record) => [
      Uint8Array.of(0x16, 3, 1, record.length >> 8, record.length & 0xff),
      record,
    ]),
  );
  assert.deepEqual(readClientHello(split), readClientHello(bytes));
  const more = Buffer.concat([bytes, Uint8Array.of(0x17, 3, 3, 0, 1, 0)]);
  assert.deepEqual(readClientHello(more), readClientHello(bytes));
});

const refusals: readonly [what: string, bytes: Uint8Array][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['another handshake message', Uint8Array.of(0x16, 3, 1, 0, 4, 2, 0, 0, 0)],
  ['a giant hello', Uint8Array.of(0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff)],
  ['an empty hello', Uint8Array.of(0x16, 3, 1, 0, 4, 1, 0, 0, 0)],
  [
    'endless empty records',
    Buffer.alloc(MAX_CLIENT_HELLO_BYTES + 5, Uint8Array.of(0x16, 3, 1, 0, 0)),
  ],
];
for (const [what, bytes] of refusals) {
  test(`refuses ${what}`, () => {
    assert.throws(() => readClientHello(bytes), {
      kind: 'invalid',
      message: 'malformed TLS client hello',
    });
  });
}

test('whatever comes is read, waited for or refused', async (t) => {
  const hello = await helloOf(t, { servername: 'b.test', ALPNProtocols: ['h2'] });
  const damagedHello = fc
    .tuple(fc.nat(hello.length - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(hello).fill(byte, at, at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damagedHello), (bytes) => {
      try {
        const read: ClientHello | undefined = readClientHello(bytes);
        assert.ok(read === undefined || Array.isArray(read.cipherSuites));
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
      }
    }),
  );
});

/** A server that looks first and does the handshake then. */
async function peekingServer(t: TestContext) {
  const { certificate, key } = await (await WebOfTrust.create('web')).web(['b.test']);
  const hellos: (ClientHello | Error)[] = [];
  const tls = createTlsServer({
    cert: writePem('CERTIFICATE', certificate.der),
    key: writePem('PRIVATE KEY', key.toPkcs8()),
  });
  tls.on('secureConnection', (socket) => socket.end('hello'));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    peekClientHello(socket).then(
      (hello) => {
        hellos.push(hello);
        tls.emit('connection', socket);
      },
      (error: Error) => {
        hellos.push(error);
        socket.destroy();
      },
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, hellos };
}

test('what was looked at is still there for the handshake', async (t) => {
  const { port, hellos } = await peekingServer(t);
  const client = connect({
    port,
    host: '127.0.0.1',
    servername: 'b.test',
    rejectUnauthorized: false,
  });
  const [said] = (await once(client, 'data')) as [Buffer];
  assert.equal(said.toString(), 'hello');
  assert.partialDeepStrictEqual(hellos, [{ serverName: 'b.test' }]);
});

test('a client that goes, or speaks no TLS, ends the wait', async (t) => {
  const { port, hellos } = await peekingServer(t);
  const gone = tcpConnect(port, '127.0.0.1');
  gone.end(Uint8Array.of(0x16));
  await once(gone.resume(), 'close');
  const plain = tcpConnect(port, '127.0.0.1');
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await once(plain.resume(), 'close');
  assert.deepEqual(
    hellos.map((error) => error instanceof Error && error.message),
    ['the client is gone', 'malformed TLS client hello'],
  );
});
