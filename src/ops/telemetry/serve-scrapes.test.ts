import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type Holder, leafOf, NOW, rootAuthority } from '../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { silentLog } from '../log.ts';
import type { PrometheusSettings } from '../telemetry-settings.ts';
import { startPrometheusEndpoint } from './prometheus-endpoint.ts';
import { serveScrapes } from './serve-scrapes.ts';

type Tls = NonNullable<PrometheusSettings['tls']>;
const noTls: Tls = {
  certFile: '',
  keyFile: '',
  clientCaFile: '',
  useSpireSvid: false,
  authorizedSpiffeIds: [],
};

async function start(t: TestContext, tls?: Partial<Tls>, host = 'localhost') {
  const lines: LogLine[] = [];
  const clock = new VirtualClock(NOW * 1000);
  const endpoint = await startPrometheusEndpoint({
    settings: { host, port: 0, tls: tls && { ...noTls, ...tls } },
    normalizeId: (text) => {
      if (!text.startsWith('spiffe://')) throw new Error('scheme is missing or invalid');
      return text;
    },
    clock,
    random: () => 0.5,
    log: recordingLog(lines),
  });
  t.after(() => endpoint[Symbol.asyncDispose]());
  const port = Number(
    lines.find(({ message }) => message === 'Starting prometheus exporter')?.fields['port'],
  );
  endpoint.sink.open({ kind: 'gauge', key: ['spire_server', 'started'], labels: [] })(1);
  return { endpoint, port, lines, clock };
}

for (const [path, method] of [
  ['/metrics', 'GET'],
  ['/', 'GET'],
  ['/any/other?x=1', 'POST'],
] as const) {
  test(`${method} ${path} is answered with all metrics`, async (t) => {
    const { port } = await start(t);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(method === 'POST' && { body: 'x'.repeat(100_000) }),
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    assert.match(text, /\nspire_server_started 1\n/);
    assert.match(text, /^process_cpu_seconds_total \d/m);
    assert.match(text, /^process_resident_memory_bytes \d/m);
  });
}

test('only what is not localhost is warned of', async (t) => {
  const warned = async (host: string) =>
    (await start(t, undefined, host)).lines.filter(({ message }) =>
      message.startsWith('Agent is now configured to accept remote network connections'),
    ).length;
  assert.equal(await warned('localhost'), 0);
  assert.equal(await warned('127.0.0.1'), 1);
});

test('a port in use is told, and the program goes on', async (t) => {
  const { port } = await start(t);
  const lines: LogLine[] = [];
  const other = await startPrometheusEndpoint({
    settings: { host: '127.0.0.1', port, tls: undefined },
    normalizeId: String,
    clock: new VirtualClock(),
    random: () => 0,
    log: recordingLog(lines),
  });
  await other[Symbol.asyncDispose]();
  assert.match(
    lines.map(({ message }) => message).join('\n'),
    /Prometheus listener stopped unexpectedly: listen tcp 127\.0\.0\.1:\d+: bind: address already in use$/,
  );
});

test('what is no HTTP is turned away, and the end waits for nobody', async (t) => {
  const { endpoint, port } = await start(t);
  const silent = connect(port, '127.0.0.1');
  const noise = connect(port, '127.0.0.1');
  await Promise.all([once(silent, 'connect'), once(noise, 'connect')]);
  noise.resume().write('\0\x16\x03 not HTTP\r\n\r\n');
  await once(noise, 'close');
  silent.resume();
  const closed = once(silent, 'close');
  await endpoint[Symbol.asyncDispose]();
  await closed;
});

const pem = (type: string, der: Uint8Array): string =>
  `-----BEGIN ${type}-----\n${Buffer.from(der).toString('base64')}\n-----END ${type}-----\n`;

const pemOf = ({ certificate, key }: Holder) => ({
  cert: pem('CERTIFICATE', certificate.der),
  key: pem('PRIVATE KEY', key.toPkcs8()),
});

/** The body, or what went wrong. */
async function scrape(
  port: number,
  ca: Holder,
  client?: Holder,
  tls: { readonly ecdhCurve?: string; readonly maxVersion?: 'TLSv1.2' } = {},
): Promise<string> {
  const request = httpsRequest({
    host: '127.0.0.1',
    port,
    ca: pemOf(ca).cert,
    checkServerIdentity: () => undefined,
    agent: false,
    ...tls,
    ...(client && pemOf(client)),
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  request.on('error', (error: NodeJS.ErrnoException) => {
    resolve(`failed: ${error.code ?? error.message}`);
  });
  request.on('response', (response) => {
    response.setEncoding('utf8');
    let body = '';
    response.on('data', (chunk: string) => (body += chunk));
    response.on('end', () => {
      resolve(body);
    });
  });
  request.end();
  return promise;
}

const ANSWER = /spire_server_started 1/;
const REFUSED = /^failed: /;
/** Certificates are about the present, since OpenSSL looks at them. */
const valid = () => {
  const now = Math.floor(Date.now() / 1000);
  return { notBefore: now - 60, notAfter: now + 3600 };
};

async function pki() {
  const [ca, other] = await Promise.all([
    rootAuthority('ca', valid()),
    rootAuthority('other', valid()),
  ]);
  const leaf = (issuer: Holder, path: string) => leafOf(issuer, `spiffe://a.test/${path}`, valid());
  return {
    ca,
    server: await leaf(ca, 'server'),
    second: await leaf(ca, 'second'),
    client: await leaf(ca, 'client'),
    stranger: await leaf(other, 'client'),
  };
}

for (const secure of [false, true]) {
  test(`who begins a request and does not end it is turned away (${secure ? 'TLS' : 'no TLS'})`, async (t) => {
    const { ca, server } = await pki();
    const scrapes = await serveScrapes({
      host: '127.0.0.1',
      port: 0,
      exposition: async () => 'all\n',
      tls: secure
        ? {
            files: undefined,
            clientCa: undefined,
            authorizedIds: new Set<string>(),
            postQuantumOnly: false,
          }
        : undefined,
      log: silentLog,
      askMilliseconds: 200,
    });
    t.after(() => scrapes[Symbol.asyncDispose]());
    scrapes.present(pemOf(server));
    const { port } = scrapes.address;
    const socket = secure
      ? connectTls({ port, ca: pemOf(ca).cert, checkServerIdentity: () => undefined })
      : connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, secure ? 'secureConnect' : 'connect');
    socket.resume().write('GET / HTTP/1.1\r\n');
    const trickle = setInterval(() => socket.write('X: y\r\n'), 50);
    t.after(() => {
      clearInterval(trickle);
    });
    await once(socket, 'close', { signal: AbortSignal.timeout(5000) });
  });
}

test('those who connect and say nothing crowd no scraper out', async (t) => {
  const { port } = await start(t);
  const silent = Array.from({ length: 120 }, () => connect(port, '127.0.0.1'));
  for (const socket of silent) socket.on('error', () => undefined);
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), ANSWER);
});

test('files are presented, clients need a certificate of the CA file, and new files are noticed', async (t) => {
  await using folder = await temporaryFolder();
  const { ca, server, second, client, stranger } = await pki();
  const path = (name: string) => join(folder.path, name);
  const write = async (holder: Holder) => {
    await writeFile(path('cert.pem'), pemOf(holder).cert);
    await writeFile(path('key.pem'), pemOf(holder).key);
  };
  await write(server);
  await writeFile(path('ca.pem'), pemOf(ca).cert);
  const { port, clock, lines } = await start(t, {
    certFile: path('cert.pem'),
    keyFile: path('key.pem'),
    clientCaFile: path('ca.pem'),
  });
  assert.match(await scrape(port, ca, client), ANSWER);
  assert.match(await scrape(port, ca), REFUSED);
  assert.match(await scrape(port, ca, stranger), REFUSED);
  await writeFile(path('cert.pem'), 'broken');
  const told = (message: string) => lines.filter((line) => line.message === message).length;
  const pass = async (message: string) => {
    const before = told(message);
    for (let i = 0; told(message) === before; i++) {
      assert.ok(i < 1000, message);
      await clock.advance({ seconds: 10 });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await pass('Could not reload the Prometheus certificate');
  assert.match(await scrape(port, ca, client), ANSWER);
  await write(second);
  await pass('Prometheus certificate reloaded');
  assert.match(await scrape(port, ca, client), ANSWER);
});

test('where post-quantum keys are required, nothing else is agreed on', async (t) => {
  await using folder = await temporaryFolder();
  const { ca, server, second } = await pki();
  const path = (name: string) => join(folder.path, name);
  await writeFile(path('cert.pem'), pemOf(server).cert);
  await writeFile(path('key.pem'), pemOf(server).key);
  const files = { certFile: path('cert.pem'), keyFile: path('key.pem') };
  const hybrid = { ecdhCurve: 'X25519MLKEM768' };
  const classic = { ecdhCurve: 'X25519:P-256' };
  const old = { maxVersion: 'TLSv1.2' } as const;
  const { port } = await start(t, { ...files, postQuantumOnly: true });
  assert.match(await scrape(port, ca, undefined, hybrid), ANSWER);
  assert.match(await scrape(port, ca, undefined, classic), REFUSED);
  assert.match(await scrape(port, ca, undefined, old), REFUSED);
  const usual = await start(t, files);
  for (const tls of [hybrid, classic, old]) {
    assert.match(await scrape(usual.port, ca, undefined, tls), ANSWER);
  }
  // Also once its own SVID has taken the place of nothing.
  const own = await start(t, { useSpireSvid: true, postQuantumOnly: true });
  own.endpoint.useSvid({ ...pemOf(second), verify: () => Promise.reject(new Error('nobody')) });
  assert.match(await scrape(own.port, ca, undefined, hybrid), ANSWER);
  assert.match(await scrape(own.port, ca, undefined, classic), REFUSED);
});

test('the own SVID is presented once there is one, to the IDs that may come', async (t) => {
  const { ca, server, client, stranger } = await pki();
  const { endpoint, port } = await start(t, {
    useSpireSvid: true,
    authorizedSpiffeIds: ['spiffe://a.test/client'],
  });
  assert.match(await scrape(port, ca, client), REFUSED);
  endpoint.useSvid({
    ...pemOf(server),
    verify: async ([leaf]) => {
      if (!Buffer.from(leaf ?? []).equals(Buffer.from(client.certificate.der))) {
        return 'spiffe://a.test/other';
      }
      return 'spiffe://a.test/client';
    },
  });
  assert.match(await scrape(port, ca, client), ANSWER);
  assert.match(await scrape(port, ca, stranger), REFUSED, 'another ID');
  assert.match(await scrape(port, ca), REFUSED, 'no certificate');
  endpoint.useSvid({ ...pemOf(server), verify: () => Promise.reject(new Error('not verified')) });
  assert.match(await scrape(port, ca, client), REFUSED);
});

const refusals: readonly (readonly [Partial<Tls>, string])[] = [
  [
    { useSpireSvid: true, certFile: 'c' },
    'cert_file and key_file cannot be configured when use_spire_svid is enabled',
  ],
  [{}, 'cert_file and key_file must both be configured unless use_spire_svid is enabled'],
  [
    { certFile: 'c' },
    'cert_file and key_file must both be configured unless use_spire_svid is enabled',
  ],
  [
    { useSpireSvid: true, clientCaFile: 'c', authorizedSpiffeIds: ['spiffe://a.test/x'] },
    'client_ca_file cannot be configured with authorized_spiffe_ids',
  ],
  [
    { useSpireSvid: true, authorizedSpiffeIds: ['x'] },
    'invalid authorized SPIFFE ID "x": scheme is missing or invalid',
  ],
  [{ certFile: '/nox', keyFile: '/noy' }, 'open /nox: no such file or directory'],
  [{ useSpireSvid: true, clientCaFile: '/noz' }, 'open /noz: no such file or directory'],
];
for (const [tls, message] of refusals) {
  test(`refuses TLS settings: ${message} (${Object.keys(tls).join()})`, async (t) => {
    await assert.rejects(start(t, tls), {
      kind: 'invalid',
      message: `failed to create TLS config for Prometheus: ${message}`,
    });
  });
}
