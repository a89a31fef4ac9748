import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { authoritiesConfig, CaWorld } from '../../../test/kit/authorities.ts';
import { eventually } from '../../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { generateKey } from '../../crypto/keys.ts';
import { writePem } from '../../crypto/pem.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TcpPeer } from './peer.ts';
import { createProxiedSources } from './proxy-protocol/proxied-sources.ts';
import { startServerSvid } from './server-svid.ts';
import { listenTcp } from './tcp-listener.ts';
import { createClientVerifier } from './verify-client.ts';

const agentId = SpiffeId.parse('spiffe://example.org/spire/agent/one');
const LINE = 'PROXY TCP4 192.0.2.1 198.51.100.1 4711 8081\r\n';

/** A listener that says who is there; and what stands before it says so in a header, if it is one of these. */
async function start(t: TestContext, trustedCidrs: readonly string[]) {
  const world = new CaWorld();
  const authorities = await world.start();
  const lines: LogLine[] = [];
  const log = recordingLog(lines, {}, 'debug');
  const { clock, bundles } = world;
  const { issuer } = authorities;
  const svid = await startServerSvid({
    issuer,
    keyType: 'ec-p256',
    bundle: () => world.bundle(),
    metrics: noMetrics,
    clock,
    log,
  });
  const peers: TcpPeer[] = [];
  const proxied = createProxiedSources(trustedCidrs, log);
  const { trustDomain } = authoritiesConfig;
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    svid,
    verifyClient: createClientVerifier({ bundles, trustDomain, adminIds: [], clock, log }),
    proxied,
    onPeer: (socket, peer) => {
      peers.push(peer);
      socket.end('known');
    },
    onFailure: (error) => assert.fail(error),
    log,
  });
  const raw: Socket[] = [];
  t.after(async () => {
    for (const socket of raw) socket.destroy();
    listener[Symbol.dispose]();
    await svid[Symbol.asyncDispose]();
    await authorities[Symbol.asyncDispose]();
  });
  const dial = async (): Promise<Socket> => {
    const socket = connectTcp(listener.address.port, '127.0.0.1');
    socket.on('error', () => undefined);
    raw.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const tls = (socket: Socket, more = {}): TLSSocket => {
    const client = connect({ socket, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...more });
    client.on('error', () => undefined);
    return client;
  };
  const identity = async () => {
    const key = await generateKey('ec-p256');
    const { chain } = await issuer.agentX509Svid(agentId, key.publicKey);
    return {
      cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
      key: writePem('PRIVATE KEY', key.toPkcs8()),
    };
  };
  return { dial, tls, identity, peers, lines, proxied };
}

/** All that the server sends; undefined if it turns the client away. */
async function heard(client: Socket): Promise<string | undefined> {
  let all = '';
  try {
    for await (const chunk of client) all += String(chunk);
  } catch {
    return undefined;
  }
  return all === '' ? undefined : all;
}

test('a trusted proxy says where its client comes from', async (t) => {
  const server = await start(t, ['127.0.0.0/8']);
  const socket = await server.dial();
  socket.write(LINE);
  assert.equal(await heard(server.tls(socket, await server.identity())), 'known');
  const [peer] = server.peers;
  assert.deepEqual([peer?.address, peer?.port], ['192.0.2.1', 4711]);
  assert.equal(peer?.id?.toString(), agentId.toString());
  const enabled = server.lines.find(({ message }) => message.startsWith('PROXY protocol'));
  assert.deepEqual(enabled, {
    message: 'PROXY protocol enabled on TCP listener',
    fields: { trusted_cidrs: { text: '[127.0.0.0/8]', json: ['127.0.0.0/8'] } },
  });
});

test('header and first words of the client may come together, or in two', async (t) => {
  const server = await start(t, ['127.0.0.1/32']);
  for (const pieces of [1, 2]) {
    const socket = await server.dial();
    if (pieces === 1) socket.cork();
    socket.write(LINE);
    const client = server.tls(socket);
    if (pieces === 1) setImmediate(() => socket.uncork());
    assert.equal(await heard(client), 'known');
  }
  assert.deepEqual(
    server.peers.map(({ address }) => address),
    ['192.0.2.1', '192.0.2.1'],
  );
});

test('what a proxy claimed is forgotten with its connection', async (t) => {
  const server = await start(t, ['127.0.0.1/32']);
  const socket = await server.dial();
  const ends = { remoteAddress: '127.0.0.1', remotePort: socket.localPort };
  socket.write(LINE);
  await heard(server.tls(socket));
  socket.destroy();
  await eventually(() => server.proxied?.of(ends) === undefined, 'the end of the claim');
  assert.equal(server.peers.length, 1);
});

for (const [what, start_] of [
  ['without a header', ''],
  ['that speaks for itself', 'PROXY UNKNOWN\r\n'],
] as const) {
  test(`a trusted proxy ${what} is where the connection comes from`, async (t) => {
    const server = await start(t, ['127.0.0.1/32']);
    const socket = await server.dial();
    const { localPort } = socket;
    socket.write(start_);
    assert.equal(await heard(server.tls(socket)), 'known');
    assert.deepEqual([server.peers[0]?.address, server.peers[0]?.port], ['127.0.0.1', localPort]);
  });
}

const hostile: readonly [why: string, cidrs: readonly string[], bytes: string][] = [
  ['a header of somebody who is no proxy', ['192.0.2.0/24'], LINE],
  ['a header where there are no proxies', [], LINE],
  ['a wrong header', ['127.0.0.1/32'], 'PROXY TCP4 everywhere\r\n'],
  ['two headers', ['127.0.0.1/32'], LINE + LINE],
  ['a line without an end', ['127.0.0.1/32'], `PROXY UNKNOWN ${'x'.repeat(200)}`],
];
for (const [why, cidrs, bytes] of hostile) {
  test(`${why} is turned away, and the next one is served`, async (t) => {
    const server = await start(t, cidrs);
    const socket = await server.dial();
    socket.write(bytes);
    assert.equal(await heard(server.tls(socket)), undefined);
    assert.deepEqual(server.peers, []);
    assert.equal(await heard(server.tls(await server.dial())), 'known');
  });
}

test('who claims to be a proxy cannot choose its address unless it is one', async (t) => {
  const server = await start(t, ['192.0.2.0/24']);
  const socket = await server.dial();
  assert.equal(await heard(server.tls(socket)), 'known');
  assert.equal(server.peers[0]?.address, '127.0.0.1');
});

test('a proxy that goes away before it says anything is no news', async (t) => {
  const server = await start(t, ['127.0.0.1/32']);
  (await server.dial()).resetAndDestroy();
  (await server.dial()).end('PRO');
  assert.equal(await heard(server.tls(await server.dial())), 'known');
  assert.equal(server.peers.length, 1);
});
