import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { get } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { type Server, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { Agent, fetch } from 'undici';
import { type Holder, leafOf, NOW, rootAuthority } from '../../test/kit/certificates.ts';
import { eventually } from '../../test/kit/programs.ts';
import { emptyBundle } from '../spiffe/bundle.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
} from './authorizers.ts';
import { connectHttp2 } from './http2-session.ts';
import { MtlsAgent } from './https-agent.ts';
import { connectMtls } from './mtls-client.ts';
import { createMtlsServer, type MtlsServerOptions, type ServerSource } from './mtls-server.ts';
import { peerIdOf } from './peer.ts';
import { mtlsConnector } from './undici-connector.ts';

const web = 'spiffe://example.test/web';
const db = 'spiffe://example.test/db';
const clock = { now: () => NOW * 1000 };

const root = await rootAuthority('example.test');
const partnerRoot = await rootAuthority('partner.test');
/** Signs for any trust domain, but is the authority of none. */
const stranger = await rootAuthority('stranger');

const roots: Record<string, Holder> = { 'example.test': root, 'partner.test': partnerRoot };

/** Trusts both trust domains. */
class Source implements ServerSource {
  #holder: Holder;
  #changed = Promise.withResolvers<void>();
  constructor(holder: Holder) {
    this.#holder = holder;
  }
  get svid() {
    const { certificate, key } = this.#holder;
    const id = SpiffeId.parse(certificate.uris[0] ?? '');
    return { id, chain: [certificate], privateKey: key.toPkcs8(), hint: '' };
  }
  bundleOf(trustDomain: TrustDomain) {
    const holder = roots[trustDomain.name];
    return (
      holder && {
        ...emptyBundle(trustDomain),
        x509Authorities: [{ der: holder.certificate.der, tainted: false }],
      }
    );
  }
  rotate(holder: Holder) {
    this.#holder = holder;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
  async *updates(signal: AbortSignal) {
    const aborted = once(signal, 'abort');
    while (!signal.aborted) {
      yield this.svid;
      await Promise.race([this.#changed.promise, aborted]);
    }
  }
}

const sourceOf = async (id: string, issuer = root) => new Source(await leafOf(issuer, id));

async function serve(t: TestContext, options: Partial<MtlsServerOptions> = {}) {
  const refusals: string[] = [];
  const server = createMtlsServer({
    source: await sourceOf(web),
    authorize: authorizeMemberOf('example.test'),
    serve: createServer((request, response) => {
      response.end(`hello ${peerIdOf(request.socket)?.toString()}`);
    }),
    refused: (error) => refusals.push(error.message),
    clock,
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port, refusals };
}

const client = async (id = db, authorize: Authorizer = authorizeId(web), issuer = root) => ({
  source: await sourceOf(id, issuer),
  authorize,
  clock,
});

async function request(port: number, agent: MtlsAgent): Promise<string> {
  const [response] = (await once(get({ host: '127.0.0.1', port, agent }), 'response')) as [
    IncomingMessage,
  ];
  return text(response);
}

test('node:https, undici and node:http2 call, and each end knows the other', async (t) => {
  const { port } = await serve(t);
  const agent = new MtlsAgent(await client());
  t.after(() => agent.destroy());
  assert.equal(await request(port, agent), `hello ${db}`);

  const dispatcher = new Agent({ connect: mtlsConnector(await client()) });
  t.after(() => dispatcher.destroy());
  const response = await fetch(`https://127.0.0.1:${port}/`, { dispatcher });
  assert.equal(await response.text(), `hello ${db}`);

  const http2 = createHttp2Server((incoming, outgoing) => {
    outgoing.end(`hello ${peerIdOf(incoming.socket as Duplex)?.toString()}`);
  });
  const second = await serve(t, { serve: http2 });
  const session = await connectHttp2(`https://127.0.0.1:${second.port}`, await client());
  const stream = session.request({ ':path': '/' });
  assert.equal(await text(stream), `hello ${db}`);
  session.close();

  const socket = await connectMtls({ ...(await client()), host: '127.0.0.1', port });
  assert.equal(peerIdOf(socket)?.toString(), web);
  socket.destroy();
});

const refused: [name: string, client: Parameters<typeof client>, says: RegExp][] = [
  [
    'another ID',
    [db, authorizeId('spiffe://example.test/other')],
    /unexpected ID "spiffe:\/\/example.test\/web"/,
  ],
  [
    'another trust domain',
    [db, authorizeMemberOf('partner.test')],
    /unexpected trust domain "example.test"/,
  ],
  ['none of several', [db, authorizeOneOf(['spiffe://a/b', 'spiffe://a/c'])], /unexpected ID/],
];
for (const [name, who, says] of refused) {
  test(`a client that expects ${name} sends nothing to this server`, async (t) => {
    let connections = 0;
    const { port } = await serve(t, {
      serve: (socket) => {
        socket.on('data', () => (connections += 1)).on('error', () => {});
      },
    });
    const agent = new MtlsAgent(await client(...who));
    t.after(() => agent.destroy());
    await assert.rejects(request(port, agent), says);
    const dispatcher = new Agent({ connect: mtlsConnector(await client(...who)) });
    t.after(() => dispatcher.destroy());
    await assert.rejects(fetch(`https://127.0.0.1:${port}/`, { dispatcher }), (error: Error) => {
      assert.match((error.cause as Error).message, says);
      return true;
    });
    await assert.rejects(connectHttp2(`https://127.0.0.1:${port}`, await client(...who)), says);
    assert.equal(connections, 0);
  });
}

test('a server whose SVID no bundle verifies is refused, whatever it claims to be', async (t) => {
  const { port } = await serve(t, { source: await sourceOf(web, stranger) });
  const partnersOwn = await serve(t, { source: await sourceOf(web, partnerRoot) });
  for (const where of [port, partnersOwn.port]) {
    const options = { ...(await client(db, authorizeAny())), host: '127.0.0.1', port: where };
    await assert.rejects(connectMtls(options), /certificate signed by unknown authority/);
  }
});

const unwelcome: [name: string, client: Parameters<typeof client>, says: RegExp][] = [
  [
    'an SVID of another trust domain',
    ['spiffe://partner.test/db', authorizeAny(), partnerRoot],
    /unexpected trust domain/,
  ],
  [
    'an SVID that the wrong trust domain signed',
    [db, authorizeAny(), partnerRoot],
    /unknown authority/,
  ],
  ['an SVID of a stranger', [db, authorizeAny(), stranger], /unknown authority/],
];
for (const [name, who, says] of unwelcome) {
  test(`a client with ${name} gets no answer`, async (t) => {
    const { port, refusals } = await serve(t);
    const agent = new MtlsAgent(await client(...who));
    t.after(() => agent.destroy());
    await assert.rejects(request(port, agent));
    assert.match(refusals[0] ?? '', says);
  });
}

test('a client without a certificate gets no answer', async (t) => {
  const { port, refusals } = await serve(t);
  const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await once(socket, 'close');
  assert.deepEqual(refusals, ['x509svid: empty certificates chain']);
});

test('a peer of a trust domain that is federated with is welcome where it is authorized', async (t) => {
  const { port } = await serve(t, { authorize: authorizeAny() });
  const agent = new MtlsAgent(
    await client('spiffe://partner.test/db', authorizeMemberOf('example.test'), partnerRoot),
  );
  t.after(() => agent.destroy());
  assert.equal(await request(port, agent), 'hello spiffe://partner.test/db');
});

test('after a rotation new connections see the new SVID, and those that are there go on', async (t) => {
  const source = await sourceOf(web);
  const { port } = await serve(t, { source, serve: (socket) => socket.pipe(socket) });
  const options = { ...(await client(db, authorizeAny())), host: '127.0.0.1', port };
  const before = await connectMtls(options);
  const rotated = await leafOf(root, 'spiffe://example.test/renamed');
  source.rotate(rotated);
  await new Promise((resolve) => setImmediate(resolve));
  const after = await connectMtls(options);
  assert.equal(peerIdOf(after)?.toString(), 'spiffe://example.test/renamed');
  before.write('still here');
  const [echo] = (await once(before, 'data')) as [Buffer];
  assert.equal(echo.toString(), 'still here');
  before.destroy();
  after.destroy();
});

test('a plain server of node:http has its time limits behind it', async (t) => {
  const http = createServer(
    { headersTimeout: 100, connectionsCheckingInterval: 20 },
    (_, response) => {
      response.end();
    },
  );
  const { port } = await serve(t, { serve: http });
  const socket = await connectMtls({ ...(await client()), host: '127.0.0.1', port });
  socket.write('GET / HTTP/1.1\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 408/);
  socket.destroy();
});

describe('who does not say who it is', () => {
  test('is turned away when its time is up', async (t) => {
    const { port, server, refusals } = await serve(t, { handshakeMilliseconds: 50 });
    const silent = connect({ host: '127.0.0.1', port });
    await once(silent, 'close');
    await eventually(async () => (await connectionsOf(server)) === 0, 'the end of the connection');
    assert.deepEqual(refusals, ['TLS handshake timeout']);
  });

  test('makes room for those who come later, and these are served', async (t) => {
    const { port, server } = await serve(t);
    const silent = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.on('error', () => {});
        t.after(() => socket.destroy());
        await once(socket, 'connect');
        return socket;
      }),
    );
    await eventually(async () => (await connectionsOf(server)) === 1000, 'the connections');
    const agent = new MtlsAgent(await client());
    t.after(() => agent.destroy());
    assert.equal(await request(port, agent), `hello ${db}`);
    await eventually(
      () => silent.some(({ readableEnded, destroyed }) => readableEnded || destroyed),
      'room',
    );
    assert.equal(await request(port, agent), `hello ${db}`, 'who is known is not turned away');
  });
});

const connectionsOf = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

test('a client that leaves while it is verified is not handed on', async (t) => {
  let served = 0;
  const leaving = Promise.withResolvers<TLSSocket>();
  const source = await sourceOf(web);
  const { server, port } = await serve(t, { source, serve: () => served++ });
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    socket.destroy();
    leaving.resolve(socket);
  });
  const socket = await connectMtls({ ...(await client()), host: '127.0.0.1', port }).catch(
    () => undefined,
  );
  await leaving.promise;
  await eventually(async () => (await connectionsOf(server)) === 0, 'the end of the connection');
  socket?.destroy();
  assert.equal(served, 0);
});

describe('a client gives up', () => {
  const silentServer = async (t: TestContext): Promise<number> => {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket.on('error', () => {}));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };

  test('when its signal aborts, in the handshake and before', async (t) => {
    const port = await silentServer(t);
    const reason = new Error('enough');
    const stop = new AbortController();
    const options = { ...(await client()), host: '127.0.0.1', port, signal: stop.signal };
    const connecting = connectMtls(options);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop.abort(reason);
    await assert.rejects(connecting, reason);
    await assert.rejects(connectMtls(options), reason);
    await assert.rejects(connectHttp2(`https://127.0.0.1:${port}`, options), reason);
  });

  test('where nobody listens', async (t) => {
    const { server, port } = await serve(t);
    await new Promise((resolve) => server.close(resolve));
    const options = { ...(await client()), host: '127.0.0.1', port };
    await assert.rejects(connectMtls(options), { code: 'ECONNREFUSED' });
    await assert.rejects(request(port, new MtlsAgent(await client())), { code: 'ECONNREFUSED' });
  });
});

test('an SVID that cannot be used is an error of the server', async (t) => {
  const source = await sourceOf(web);
  const { server } = await serve(t, { source });
  const failed = once(server, 'error');
  const [one, other] = [await leafOf(root, web), await leafOf(root, web)];
  source.rotate({ ...one, key: other.key });
  const [error] = (await failed) as [Error];
  assert.match(error.message, /the SVID cannot be used/);
});

test('authorizers refuse at once what can never be meant', () => {
  assert.throws(() => authorizeId('example.test/web'), { kind: 'invalid' });
  assert.throws(() => authorizeOneOf([]), { kind: 'invalid' });
  assert.throws(() => authorizeMemberOf('Example'), { kind: 'invalid' });
});
