import assert from 'node:assert/strict';
import type { RequestListener, ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Holder } from '../../../../test/kit/certificates.ts';
import { serveHttps, WebOfTrust } from '../../../../test/kit/https-endpoint.ts';
import { freePort } from '../../../../test/kit/programs.ts';
import { type Emitted, recordingMetrics } from '../../../../test/kit/recording-metrics.ts';
import { systemClock } from '../../../base/clock.ts';
import { nameDer } from '../../../crypto/x509/name.ts';
import { type Bundle, emptyBundle } from '../../../spiffe/bundle.ts';
import { writeBundleDocument } from '../../../spiffe/bundle-document.ts';
import type { BundleEndpointProfile } from '../../../spiffe/federation-relationship.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { MAX_DOCUMENT_BYTES } from './fetch-document.ts';
import { type UpdateBundleDeps, updateBundle } from './update-bundle.ts';

const B = TrustDomain.parse('b.test');
const SERVER = 'spiffe://b.test/spire/server';
const asServer: BundleEndpointProfile = {
  kind: 'https_spiffe',
  endpointSpiffeId: SpiffeId.parse(SERVER),
};
const onTheWeb: BundleEndpointProfile = { kind: 'https_web' };

let authority: WebOfTrust;
let other: WebOfTrust;
let svid: Holder;
let website: Holder;
before(async () => {
  [authority, other] = await Promise.all([WebOfTrust.create('b'), WebOfTrust.create('other')]);
  svid = await authority.svid(SERVER);
  website = await authority.web(['localhost']);
});

const stored = (): Bundle => ({
  ...emptyBundle(B),
  x509Authorities: [{ der: authority.root.certificate.der, tainted: false }],
  sequenceNumber: 5n,
});
/** What the endpoint says next: the stored bundle and one authority more. */
const next = (): Bundle => ({
  ...stored(),
  x509Authorities: [
    ...stored().x509Authorities,
    { der: other.root.certificate.der, tainted: false },
  ],
  jwtAuthorities: [
    { publicKey: other.root.key.publicKey.spki, keyId: 'k', expiresAt: 7, tainted: false },
  ],
  refreshHintSeconds: 60,
  sequenceNumber: 6n,
});

const saying =
  (body: string, status = 200, headers = {}): RequestListener =>
  (_, response) => {
    response.writeHead(status, headers).end(body);
  };

type World = {
  readonly holder?: Holder;
  readonly answer?: RequestListener;
  readonly profile?: BundleEndpointProfile;
  readonly url?: (port: number) => string;
  readonly bundles?: readonly Bundle[];
  readonly deps?: Partial<UpdateBundleDeps>;
};

/** One poll of an endpoint, and what is stored after it. */
async function poll(t: TestContext, world: World = {}) {
  const { holder = svid, answer = saying(writeBundleDocument(next())), profile = asServer } = world;
  const endpoint = await serveHttps(t, holder, answer);
  const url = world.url?.(endpoint.port) ?? `https://localhost:${endpoint.port}/`;
  const held = new Map((world.bundles ?? [stored()]).map((one) => [one.trustDomain.name, one]));
  const emitted: Emitted[] = [];
  const deps: UpdateBundleDeps = {
    bundles: {
      get: ({ name }) => held.get(name),
      async set(bundle) {
        held.set(bundle.trustDomain.name, bundle);
        return bundle;
      },
    },
    clock: systemClock,
    environment: {},
    metrics: recordingMetrics(emitted),
    webAuthorities: [authority.pem],
    ...world.deps,
  };
  const relationship = { trustDomain: B, bundleEndpointUrl: url, bundleEndpointProfile: profile };
  const updated = updateBundle(deps, relationship, new AbortController().signal);
  return {
    result: await updated.then(
      (bundle) => ({ bundle }),
      (error: Error) => ({ error: error.message.replaceAll(url, 'URL') }),
    ),
    held,
    emitted,
    endpoint,
  };
}

const served = (): Bundle => ({
  ...next(),
  jwtAuthorities: next().jwtAuthorities.map((key) => ({ ...key, expiresAt: 0 })),
  sequenceNumber: 0n,
});

for (const [name, world] of [
  ['its SVID', () => ({})],
  ['a certificate of the web', () => ({ holder: website, profile: onTheWeb })],
] as const) {
  test(`the bundle of an endpoint that shows ${name} replaces the stored one`, async (t) => {
    const { result, held, emitted } = await poll(t, world());
    assert.deepEqual(result, { bundle: served() });
    assert.deepEqual(held.get('b.test'), served());
    const labels = { trust_domain_id: 'b.test' };
    assert.partialDeepStrictEqual(emitted, [
      ['counter', 'bundle_manager.fetch.federated_bundle', 1, { ...labels, status: 'OK' }],
      ['sample', 'bundle_manager.fetch.federated_bundle.elapsed_time'],
      ['counter', 'bundle_manager.update.federated_bundle', 1, labels],
    ]);
  });
}

test('the endpoint may belong to another trust domain, whose bundle verifies it then', async (t) => {
  const host = TrustDomain.parse('host.test');
  const id = 'spiffe://host.test/bundles';
  const { result } = await poll(t, {
    holder: await other.svid(id),
    profile: { kind: 'https_spiffe', endpointSpiffeId: SpiffeId.parse(id) },
    bundles: [
      {
        ...emptyBundle(host),
        x509Authorities: [{ der: other.root.certificate.der, tainted: false }],
      },
    ],
  });
  assert.deepEqual(result, { bundle: served() });
});

test('the newest bundle is the one fetched last, whatever its sequence number', async (t) => {
  const older = { ...next(), sequenceNumber: 1n };
  const { result } = await poll(t, { answer: saying(writeBundleDocument(older)) });
  assert.deepEqual(result, { bundle: served() });
});

test('redirects are followed, each with the same checks', async (t) => {
  const target = await serveHttps(t, svid, saying(writeBundleDocument(next())));
  const location = `https://127.0.0.1:${target.port}/moved`;
  const { result } = await poll(t, { answer: saying('', 302, { location }) });
  assert.deepEqual(result, { bundle: served() });
});

const FETCH = 'failed to fetch federated bundle from endpoint:';
const GET = `${FETCH} failed to fetch bundle: Get "URL":`;
const TLS = `${GET} tls: failed to verify certificate:`;

const never: RequestListener = () => undefined;
/** A byte now and then, for ever. */
const dripping: RequestListener = (_, response: ServerResponse) => {
  const drip = setInterval(() => response.write(' '), 20);
  response.on('close', () => {
    clearInterval(drip);
  });
};

const hostile: readonly [what: string, world: () => Promise<World>, error: string][] = [
  [
    'shows another SPIFFE ID',
    async () => ({ holder: await authority.svid('spiffe://b.test/other') }),
    `${GET} unexpected ID "spiffe://b.test/other"`,
  ],
  [
    'is of another trust domain',
    async () => ({ holder: await authority.svid('spiffe://c.test/spire/server') }),
    `${GET} x509svid: could not get X509 bundle: x509bundle: no X.509 bundle found for trust domain: "c.test"`,
  ],
  [
    'shows an SVID of an authority that is not in the bundle',
    async () => ({ holder: await other.svid(SERVER) }),
    `${GET} x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority`,
  ],
  [
    'shows an SVID that has expired',
    async () => ({ holder: await authority.svid(SERVER, { notBefore: 1, notAfter: 2 }) }),
    `${GET} x509svid: could not verify leaf certificate: x509: certificate has expired or is not yet valid`,
  ],
  [
    'shows a certificate of the web instead of an SVID',
    async () => ({ holder: website }),
    `${GET} x509svid: could not get leaf SPIFFE ID: certificate contains no URI SAN`,
  ],
  [
    'shows an SVID instead of a certificate of the web',
    async () => ({ profile: onTheWeb }),
    `${FETCH} failed to authenticate bundle endpoint using web authentication but the server certificate contains SPIFFE ID "${SERVER}": maybe use https_spiffe instead of https_web: Get "URL": tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match localhost`,
  ],
  [
    'has a certificate for another name',
    async () => ({ holder: await authority.web(['other.test', 'more.test']), profile: onTheWeb }),
    `${TLS} x509: certificate is valid for other.test, more.test, not localhost`,
  ],
  [
    'has a certificate without names',
    async () => ({ holder: await authority.web([]), profile: onTheWeb }),
    `${TLS} x509: certificate is not valid for any names, but wanted to match localhost`,
  ],
  [
    'has its name only where no name of a host belongs',
    async () => ({
      holder: await authority.web([], {
        uris: ['https://elsewhere.test'],
        subject: nameDer([['CN', 'localhost']]),
      }),
      profile: onTheWeb,
    }),
    `${TLS} x509: certificate is not valid for any names, but wanted to match localhost`,
  ],
  [
    'has a certificate that nobody vouches for',
    async () => ({ holder: await other.web(['localhost']), profile: onTheWeb }),
    `${TLS} x509: certificate signed by unknown authority`,
  ],
  [
    'has a certificate that has expired',
    async () => ({
      holder: await authority.web(['localhost'], { notBefore: 1, notAfter: 2 }),
      profile: onTheWeb,
    }),
    `${TLS} x509: certificate has expired or is not yet valid`,
  ],
  [
    'answers with another status',
    async () => ({ answer: saying('x'.repeat(5000), 404) }),
    `${FETCH} unexpected status 404 fetching bundle: ${'x'.repeat(1024)}`,
  ],
  [
    'answers nothing',
    async () => ({ answer: saying('') }),
    `${FETCH} failed to decode bundle: unexpected end of JSON input`,
  ],
  [
    'answers what is no JSON',
    async () => ({ answer: saying('<html>') }),
    `${FETCH} failed to decode bundle: `,
  ],
  [
    'answers a key without a use',
    async () => ({ answer: saying(writeBundleDocument(next()).replace('"use": "jwt-svid",', '')) }),
    `${FETCH} missing use for key entry 2`,
  ],
  [
    'answers a key that is none',
    async () => ({ answer: saying('{"keys":[{"use":"jwt-svid","kty":"EC","kid":"k"}]}') }),
    `${FETCH} failed to decode bundle: `,
  ],
  [
    'answers a giant document',
    async () => ({ answer: saying(`{"keys":[${' '.repeat(MAX_DOCUMENT_BYTES)}]}`) }),
    `${GET} longer than ${MAX_DOCUMENT_BYTES} bytes`,
  ],
  [
    'sends endless headers',
    async () => ({ answer: saying('', 200, { x: 'y'.repeat(100_000) }) }),
    GET,
  ],
  [
    'never answers',
    async () => ({ answer: never, deps: { timeoutMilliseconds: 300 } }),
    `${GET} no whole answer within 0.3 s`,
  ],
  [
    'answers drop by drop',
    async () => ({ answer: dripping, deps: { timeoutMilliseconds: 300 } }),
    `${GET} no whole answer within 0.3 s`,
  ],
  [
    'hangs up',
    async () => ({ answer: (request) => request.socket.destroy() }),
    `${GET} socket hang up`,
  ],
  [
    'redirects to itself for ever',
    async () => ({ answer: saying('', 302, { location: '/' }) }),
    `${GET} stopped after 10 redirects`,
  ],
  [
    'redirects to http',
    async () => ({ answer: saying('', 302, { location: 'http://localhost:1/' }) }),
    `${GET} refusing to follow a redirect from https to http://localhost:1/`,
  ],
  [
    'redirects to a URL with a password',
    async () => ({ answer: saying('', 302, { location: 'https://me:secret@localhost:1/' }) }),
    `${GET} refusing to follow a redirect to a URL with user info`,
  ],
  [
    'redirects to what is no URL',
    async () => ({ answer: saying('', 302, { location: 'https://[' }) }),
    `${GET} malformed redirect to https://[`,
  ],
  ['does not exist', async () => ({ url: () => 'https://localhost:1/' }), `${GET} dial tcp`],
];
for (const [what, world, error] of hostile) {
  test(`an endpoint that ${what} changes nothing`, async (t) => {
    const { result, held, emitted } = await poll(t, await world());
    assert.ok('error' in result, 'it was believed');
    assert.equal(result.error.slice(0, error.length), error);
    assert.deepEqual([...held.values()], [stored()]);
    assert.deepEqual(
      emitted.map(([kind, key]) => [kind, key]),
      [
        ['counter', 'bundle_manager.fetch.federated_bundle'],
        ['sample', 'bundle_manager.fetch.federated_bundle.elapsed_time'],
      ],
    );
    assert.ok(!result.error.includes('secret'));
  });
}

test('a redirect to another server is no way round the checks', async (t) => {
  const thief = await serveHttps(t, await other.svid(SERVER), saying(writeBundleDocument(next())));
  const location = `https://localhost:${thief.port}/`;
  const { result, held } = await poll(t, { answer: saying('', 307, { location }) });
  assert.ok('error' in result);
  assert.match(result.error, /certificate signed by unknown authority/);
  assert.deepEqual([...held.values()], [stored()]);
});

test('an endpoint cannot be verified without the bundle of its trust domain', async (t) => {
  const { result, endpoint } = await poll(t, { bundles: [] });
  assert.deepEqual(result, {
    error: "can't perform SPIFFE Authentication: local copy of bundle not found",
  });
  assert.equal(endpoint.connections(), 0);
});

test('what cannot be stored is told', async (t) => {
  const bundles = {
    get: stored,
    set: async () => {
      throw new Error('disk full');
    },
  };
  const { result } = await poll(t, { deps: { bundles } });
  assert.deepEqual(result, { error: 'failed to store fetched federated bundle: disk full' });
});

test('a server that takes connections and says nothing is given up', async (t) => {
  const silent = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => {
    silent.listen(port, '127.0.0.1', resolve);
  });
  t.after(() => silent.close());
  const { result } = await poll(t, {
    url: () => `https://127.0.0.1:${port}/`,
    deps: { timeoutMilliseconds: 200 },
  });
  assert.deepEqual(result, { error: `${GET} no whole answer within 0.2 s` });
});

test('a poll ends at once when nobody wants it any more', async (t) => {
  const endpoint = await serveHttps(t, svid, never);
  const stop = new AbortController();
  const relationship = {
    trustDomain: B,
    bundleEndpointUrl: `https://localhost:${endpoint.port}/`,
    bundleEndpointProfile: asServer,
  };
  const deps: UpdateBundleDeps = {
    bundles: { get: stored, set: () => assert.fail('stored') },
    clock: systemClock,
    environment: {},
    metrics: recordingMetrics([]),
  };
  const polling = updateBundle(deps, relationship, stop.signal);
  while (endpoint.connections() === 0) await pause(5);
  stop.abort();
  await assert.rejects(polling, { name: 'AbortError' });
});

test('a proxy of the environment is asked for the tunnel', async (t) => {
  const asked = Promise.withResolvers<string>();
  const proxy = createServer((socket) => {
    socket.once('data', (data) => {
      asked.resolve(data.toString().split('\r\n')[0] ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const { result } = await poll(t, {
    url: () => 'https://bundles.b.test:8443/',
    deps: { environment: { HTTPS_PROXY: `http://127.0.0.1:${port}` } },
  });
  assert.equal(await asked.promise, 'CONNECT bundles.b.test:8443 HTTP/1.1');
  assert.ok('error' in result);
});

test('an endpoint behind a proxy is verified like any other', async (t) => {
  const { port: proxyPort } = await connectProxy(t);
  const environment = { https_proxy: `http://127.0.0.1:${proxyPort}` };
  const good = await poll(t, { deps: { environment } });
  assert.deepEqual(good.result, { bundle: served() });
  const bad = await poll(t, { holder: await other.svid(SERVER), deps: { environment } });
  assert.ok('error' in bad.result);
  assert.match(bad.result.error, /certificate signed by unknown authority/);
});

/** Makes the tunnels that it is asked for. */
async function connectProxy(t: TestContext): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      const port = Number(/^CONNECT [^ ]*:(\d+) /.exec(data.toString())?.[1]);
      const target = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(target).pipe(socket);
      });
      target.on('error', () => undefined);
      sockets.add(target);
    });
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });
  return proxy.address() as AddressInfo;
}
