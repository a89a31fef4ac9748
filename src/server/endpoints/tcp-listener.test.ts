import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { authoritiesConfig, CaWorld, HOUR } from '../../../test/kit/authorities.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { generateKey } from '../../crypto/keys.ts';
import { writePem } from '../../crypto/pem.ts';
import { buildCertificate, randomSerialNumber } from '../../crypto/x509/build-certificate.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { selfSignedCaTemplate, workloadTemplate } from '../../spiffe/profiles.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { TcpPeer } from './peer.ts';
import type { ProxiedSources } from './proxy-protocol/proxied-sources.ts';
import { startServerSvid } from './server-svid.ts';
import { listenTcp } from './tcp-listener.ts';
import { createClientVerifier } from './verify-client.ts';

const foreign = TrustDomain.parse('other.test');
const foreignAdmin = SpiffeId.parse('spiffe://other.test/admin');
const agentId = SpiffeId.parse('spiffe://example.org/spire/agent/one');

/** A listener that says `id` (or `nobody`), then echoes. */
async function start(t: TestContext, proxied?: ProxiedSources) {
  const world = new CaWorld();
  const authorities = await world.start();
  const svid = await startServerSvid({
    issuer: authorities.issuer,
    keyType: 'ec-p256',
    bundle: () => world.bundle(),
    metrics: noMetrics,
    clock: world.clock,
    log: recordingLog([]),
  });
  const lines: LogLine[] = [];
  const peers: TcpPeer[] = [];
  const clock = new VirtualClock(world.clock.now());
  const options = {
    host: '127.0.0.1',
    port: 0,
    svid,
    verifyClient: createClientVerifier({
      bundles: world.bundles,
      trustDomain: authoritiesConfig.trustDomain,
      adminIds: [foreignAdmin],
      clock,
      log: recordingLog(lines),
    }),
    proxied,
    onPeer: (socket: TLSSocket, peer: TcpPeer) => {
      peers.push(peer);
      socket.write(`${peer.id?.toString() ?? 'nobody'}\n`);
      socket.pipe(socket);
    },
    onFailure: (error: Error) => assert.fail(error),
    log: recordingLog(lines),
  };
  const listener = await listenTcp(options);
  const clients: TLSSocket[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    listener[Symbol.dispose]();
    await svid[Symbol.asyncDispose]();
    await authorities[Symbol.asyncDispose]();
  });
  const dial = (more: ConnectionOptions = {}): TLSSocket => {
    const { port } = listener.address;
    const client = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...more,
    });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  return { world, authorities, svid, listener, options, peers, lines, clock, dial };
}

/** What the client hears first; undefined if it is turned away. */
async function firstLine(client: TLSSocket): Promise<string | undefined> {
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    return String(chunk).split('\n')[0];
  }
  return undefined;
}

const heard = (client: TLSSocket) => firstLine(client).catch(() => undefined);

type Started = Awaited<ReturnType<typeof start>>;

async function agentIdentity({ authorities: { issuer } }: Started) {
  const key = await generateKey('ec-p256');
  const { chain } = await issuer.agentX509Svid(agentId, key.publicKey);
  return identity(chain, key);
}

const identity = (chain: readonly Uint8Array[], key: { toPkcs8(): Uint8Array }) => ({
  cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
  key: writePem('PRIVATE KEY', key.toPkcs8()),
});

test('a client without a certificate is let in as nobody', async (t) => {
  const server = await start(t);
  assert.equal(await heard(server.dial()), 'nobody');
  const [peer] = server.peers;
  assert.equal(peer?.address, '127.0.0.1');
  assert.deepEqual(peer?.chain, []);
});

test('an agent is known by its verified chain', async (t) => {
  const server = await start(t);
  const client = server.dial(await agentIdentity(server));
  assert.equal(await heard(client), agentId.toString());
  const [peer] = server.peers;
  assert.deepEqual(
    peer?.chain.map(({ uris }) => uris),
    [[agentId.toString()], ['spiffe://example.org']],
  );
  assert.equal(peer?.port, client.localPort);
});

test('what a client sends before it is verified is not lost', async (t) => {
  const server = await start(t);
  const client = server.dial(await agentIdentity(server));
  client.write('early');
  let all = '';
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    all += String(chunk);
    if (all.endsWith('early')) break;
  }
  assert.equal(all, `${agentId.toString()}\nearly`);
});

test('an administrator of another trust domain needs its bundle', async (t) => {
  const server = await start(t);
  const admin = await foreignIdentity(server, foreignAdmin);
  assert.equal(await heard(server.dial(admin)), undefined);
  assert.equal(await heard(server.dial(admin)), undefined);
  const warnings = server.lines.filter(({ message }) => message.startsWith('No bundle'));
  assert.deepEqual(
    warnings.map(({ fields }) => fields['trust_domain']),
    ['other.test'],
    'one warning a minute',
  );
  server.world.bundles.byName.set(foreign.name, admin.bundle);
  assert.equal(await heard(server.dial(admin)), foreignAdmin.toString());
});

async function foreignIdentity(_server: Started, id: SpiffeId) {
  const now = Date.UTC(2026, 0, 1) / 1000;
  const times = { notBefore: now - 10, notAfter: now + HOUR };
  const caKey = await generateKey('ec-p256');
  const caBasics = {
    serialNumber: randomSerialNumber(),
    publicKey: caKey.publicKey.spki,
    ...times,
  };
  const ca = await buildCertificate(selfSignedCaTemplate(foreign, {}, caBasics), caKey);
  const { subject, subjectKeyId } = parseCertificate(ca);
  assert.ok(subjectKeyId);
  const key = await generateKey('ec-p256');
  const basics = { serialNumber: randomSerialNumber(), publicKey: key.publicKey.spki, ...times };
  const template = workloadTemplate({ id, dnsNames: [] }, basics, { subject, subjectKeyId });
  const bundle = {
    trustDomain: foreign,
    x509Authorities: [{ der: ca, tainted: false }],
    jwtAuthorities: [],
    witAuthorities: [],
    refreshHintSeconds: 0,
    sequenceNumber: 0n,
  };
  return { ...identity([await buildCertificate(template, caKey)], key), bundle };
}

/** Who gets no connection (`reference/server.md` §5.3). */
const refusals: readonly [why: string, dial: (server: Started) => Promise<TLSSocket>][] = [
  [
    'a certificate that no bundle verifies',
    async (server) => {
      const { cert, key } = await foreignIdentity(server, foreignAdmin);
      return server.dial({ cert, key });
    },
  ],
  [
    'a workload of another trust domain that is no administrator',
    async (server) => {
      const { bundle, cert, key } = await foreignIdentity(
        server,
        SpiffeId.parse('spiffe://other.test/web'),
      );
      server.world.bundles.byName.set(foreign.name, bundle);
      return server.dial({ cert, key });
    },
  ],
  [
    'a self-signed certificate with an ID of the trust domain',
    async (server) => {
      const key = await generateKey('ec-p256');
      const basics = {
        serialNumber: randomSerialNumber(),
        publicKey: key.publicKey.spki,
        notBefore: 0,
        notAfter: 4_000_000_000,
      };
      const issuer = { subject: Uint8Array.of(0x30, 0), subjectKeyId: Uint8Array.of(1) };
      const template = workloadTemplate({ id: agentId, dnsNames: [] }, basics, issuer);
      return server.dial(identity([await buildCertificate(template, key)], key));
    },
  ],
  [
    'an SVID that has expired',
    async (server) => {
      const agent = await agentIdentity(server);
      await server.clock.advance({ seconds: 2 * HOUR });
      return server.dial(agent);
    },
  ],
  ['a client that does not speak HTTP/2', async ({ dial }) => dial({ ALPNProtocols: [] })],
  ['a client that offers HTTP/1.1 only', async ({ dial }) => dial({ ALPNProtocols: ['http/1.1'] })],
  [
    'a client of TLS 1.1',
    async ({ dial }) => dial({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }),
  ],
  [
    'more certificates than anybody needs',
    async (server) => {
      const { cert, key } = await agentIdentity(server);
      return server.dial({ key, cert: cert + (await agentIdentity(server)).cert.repeat(16) });
    },
  ],
];

for (const [why, dial] of refusals) {
  test(`refuses ${why}`, async (t) => {
    const server = await start(t);
    const client = await dial(server);
    assert.equal(await heard(client), undefined);
    assert.deepEqual(server.peers, []);
  });
}

test('sessions cannot be resumed', async (t) => {
  const server = await start(t);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = server.dial({ maxVersion });
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    assert.equal(await heard(first), 'nobody');
    sessions.push(...[first.getSession()].filter((session) => session !== undefined));
    for (const session of sessions) {
      const second = server.dial({ maxVersion, session });
      assert.equal(await heard(second), 'nobody');
      assert.equal(second.isSessionReused(), false);
    }
  }
});

test('a new SVID of the server serves new connections, the old ones stay', async (t) => {
  const server = await start(t);
  const old = server.dial();
  assert.equal(await heard(old), 'nobody');
  await server.svid.rotate();
  const renewed = server.dial();
  assert.equal(await heard(renewed), 'nobody');
  const serial = (client: TLSSocket) => client.getPeerX509Certificate()?.serialNumber;
  assert.notEqual(serial(old), serial(renewed));
  old.write('still here');
  const [chunk] = (await once(old, 'data')) as [Buffer];
  assert.equal(String(chunk), 'still here');
});

test('a port in use is refused', async (t) => {
  const server = await start(t);
  const { port } = server.listener.address;
  await assert.rejects(listenTcp({ ...server.options, port }), {
    kind: 'unavailable',
    message: `listen tcp 127.0.0.1:${port}: bind: address already in use`,
  });
});

test('0.0.0.0 means all addresses, IPv4 peers keep their form', async (t) => {
  const server = await start(t);
  const all = await listenTcp({ ...server.options, host: '0.0.0.0' });
  t.after(() => {
    all[Symbol.dispose]();
  });
  assert.equal(await heard(server.dial({ port: all.address.port })), 'nobody');
  assert.equal(server.peers.at(-1)?.address, '127.0.0.1');
});

test('whoever is still silent when the listener ends is turned away', async (t) => {
  const server = await start(t);
  const silent = connectTcp(server.listener.address.port, '127.0.0.1');
  await once(silent, 'connect');
  await new Promise((resolve) => setImmediate(resolve));
  server.listener[Symbol.dispose]();
  await once(silent.resume(), 'close');
  const free = createServer().listen(server.listener.address.port, '127.0.0.1');
  await once(free, 'listening');
  free.close();
});
