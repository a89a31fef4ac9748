import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { TestServer } from '../../../../test/kit/server.ts';
import { FakeWorkloadApi } from '../../../../test/kit/workload-api.ts';
import { type Clock, systemClock, unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { validatePlugin } from '../../../catalog/validate-plugin.ts';
import { buildCsr } from '../../../crypto/csr.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { silentLog } from '../../../ops/log.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { Bundle } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { LocalAuthority } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { SVID } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { upstreamAuthorities } from '../builtins.ts';
import { upstreamAuthoritySuite } from '../contract.suite.ts';
import type { LocalBundle, UpstreamAuthority } from '../contract.ts';

const trustDomain = TrustDomain.parse('example.org');

type Ends = { after(end: () => Promise<void> | void): unknown };

/** A real server above, and an agent's Workload API that says who this server is. */
class Above {
  readonly server: TestServer;
  readonly workloadApi: FakeWorkloadApi;
  readonly lines: LogLine[] = [];

  private constructor(server: TestServer, workloadApi: FakeWorkloadApi) {
    this.server = server;
    this.workloadApi = workloadApi;
  }

  static async start(t: Ends): Promise<Above> {
    const server = await TestServer.start(t as TestContext);
    const workloadApi = await FakeWorkloadApi.serve(server.path('workload.sock'));
    t.after(() => workloadApi[Symbol.asyncDispose]());
    using channel = server.dialLocal();
    await channel.client(Entry).batchCreateEntry({
      entries: [
        {
          spiffeId: { trustDomain: 'example.org', path: '/downstream' },
          parentId: { trustDomain: 'example.org', path: '/node' },
          selectors: [{ type: 'unix', value: 'uid:0' }],
          downstream: true,
        },
      ],
    });
    return new Above(server, workloadApi);
  }

  /** From now on this is who the plugin is. */
  async identify(path = '/downstream', ttl = 3600): Promise<void> {
    using channel = this.server.dialLocal();
    const key = await generateKey('ec-p256');
    const csr = await buildCsr({ uris: [`spiffe://example.org${path}`], dnsNames: [] }, key);
    const { svid } = await channel.client(SVID).mintX509SVID({ csr, ttl });
    const { x509Authorities } = await channel.client(Bundle).getBundle({});
    this.workloadApi.give({
      svids: [
        {
          spiffeId: `spiffe://example.org${path}`,
          x509Svid: Buffer.concat(svid?.certChain ?? []),
          x509SvidKey: key.toPkcs8(),
          bundle: Buffer.concat(x509Authorities.map(({ asn1 }) => asn1)),
        },
      ],
    });
  }

  get settings(): string {
    return settings({ port: String(this.server.port), socket: this.server.path('workload.sock') });
  }

  open(hcl = this.settings): Promise<UpstreamAuthority> {
    return load(hcl, this.lines);
  }
}

const load = (
  hcl: string,
  lines: LogLine[] = [],
  clock: Clock = systemClock,
): Promise<UpstreamAuthority> =>
  loadPlugin(
    {
      kind: 'UpstreamAuthority',
      builtIns: upstreamAuthorities,
      log: silentLog,
      env: () => ({ clock, log: recordingLog(lines), trustDomain, environment: {} }),
    },
    { name: 'spire', data: pluginSettings(hcl) },
  );

const settings = ({ port, socket, more = '' }: { port: string; socket: string; more?: string }) =>
  `server_address = "127.0.0.1"\nserver_port = "${port}"\nworkload_api_socket = "${socket}"\n${more}`;

const csr = async () =>
  buildCsr({ uris: [trustDomain.idString], dnsNames: [] }, await generateKey('ec-p256'));
const mint = async (authority: UpstreamAuthority, signal = new AbortController().signal) =>
  authority.mintX509Ca({ csr: await csr(), ttlSeconds: 600, patient: true, signal });

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail('waited in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('with a server above', () => {
  const ends: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const end of ends.toReversed()) await end();
  });
  const above = Above.start({
    after: (end: () => Promise<void> | void) => ends.push(end),
  });
  upstreamAuthoritySuite('spire', async () => {
    const it = await above;
    await it.identify();
    const authority = await it.open();
    const close = () => authority[Symbol.asyncDispose]();
    const now = () => unixSeconds(systemClock);
    return { authority, trustDomain, now, [Symbol.asyncDispose]: close };
  });
});

test('the roots come with their taints, from the bundle of the server above', async (t) => {
  const above = await Above.start(t);
  await above.identify();
  await using authority = await above.open();
  using channel = above.server.dialLocal();
  const local = channel.client(LocalAuthority);
  const { active } = await local.getX509AuthorityState({});
  const { preparedAuthority } = await local.prepareX509Authority({});
  await local.activateX509Authority({ authorityId: preparedAuthority?.authorityId ?? '' });
  await local.taintX509Authority({ authorityId: active?.authorityId ?? '' });
  await above.identify();
  const { x509CaChain, upstreamRoots } = await mint(authority);
  assert.equal(x509CaChain.length, 1);
  const { x509Authorities } = await channel.client(Bundle).getBundle({});
  assert.deepEqual(
    upstreamRoots.map(({ der, tainted }) => [Buffer.from(der), tainted]),
    x509Authorities.map(({ asn1, tainted }) => [Buffer.from(asn1), tainted]),
  );
  assert.deepEqual(
    upstreamRoots.map(({ tainted }) => tainted),
    [true, false],
  );
});

test('what changes in the bundle above is told to whoever has subscribed, once', async (t) => {
  const above = await Above.start(t);
  await above.identify();
  await using authority = await above.open();
  const stop = new AbortController();
  const { bundle, updates } = await authority.subscribeToLocalBundle(stop.signal);
  const seen: LocalBundle[] = [bundle];
  const read = (async () => {
    for await (const update of updates) seen.push(update);
  })().catch((error: unknown) => {
    assert.equal(error, stop.signal.reason);
  });

  const key = await jwtKey('published');
  const { jwtKeys } = await authority.publishJwtKey(key, stop.signal);
  assert.ok(jwtKeys.some(({ keyId }) => keyId === 'published'));
  await until(() => seen.length === 2);
  using channel = above.server.dialLocal();
  const { publicKey, expiresAt } = await jwtKey('appended');
  await channel.client(Bundle).appendBundle({
    jwtAuthorities: [{ keyId: 'appended', publicKey, expiresAt: BigInt(expiresAt) }],
  });
  await until(() => seen.length === 3);
  assert.deepEqual(
    seen.map((one) => one.jwtKeys.map(({ keyId }) => keyId).slice(1)),
    [[], ['published'], ['published', 'appended']],
  );
  assert.ok(seen.every(({ x509Authorities }) => x509Authorities.length === 1));
  stop.abort();
  await read;
});

test('whoever is no downstream workload above is refused, with the words of the server', async (t) => {
  const above = await Above.start(t);
  await above.identify('/workload');
  await using authority = await above.open();
  const denied = (method: string) =>
    `rpc error: code = PermissionDenied desc = authorization denied for method /spire.api.server.${method}`;
  await assert.rejects(mint(authority), {
    kind: 'internal',
    message: `upstreamauthority(spire): unable to request a new Downstream X509CA: ${denied('svid.v1.SVID/NewDownstreamX509CA')}`,
  });
  await assert.rejects(authority.publishJwtKey(await jwtKey('k'), new AbortController().signal), {
    kind: 'internal',
    message: `upstreamauthority(spire): failed to push JWT authority: ${denied('bundle.v1.Bundle/PublishJWTAuthority')}`,
  });
});

test('a server above that is not the one of the trust domain gets nothing', async (t) => {
  const above = await Above.start(t);
  const other = await Above.start(t);
  await above.identify();
  const strange = settings({
    port: String(other.server.port),
    socket: above.server.path('workload.sock'),
  });
  await using authority = await above.open(strange);
  await assert.rejects(mint(authority), {
    kind: 'internal',
    message:
      /unable to request a new Downstream X509CA: rpc error: code = Unavailable desc = connection error: .*authentication handshake failed: .*certificate signed by unknown authority/,
  });
});

test('where nobody is above, that is told, and the next call finds who has come', async (t) => {
  const above = await Above.start(t);
  await above.identify();
  const { port } = above.server;
  await using authority = await above.open();
  await above.server.stop();
  await assert.rejects(mint(authority), {
    kind: 'internal',
    message: new RegExp(
      `unable to request a new Downstream X509CA: rpc error: code = Unavailable desc = connection error: .*dial tcp 127.0.0.1:${port}: connect: connection refused`,
    ),
  });
  await above.server.start({ bindPort: port });
  await mint(authority);
});

test('an identity is waited for, and a call can be given up meanwhile', async (t) => {
  const above = await Above.start(t);
  await using authority = await above.open();
  const stop = new AbortController();
  const reason = new Error('enough');
  const givenUp = assert.rejects(mint(authority, stop.signal), reason);
  const minted = mint(authority);
  await until(() => above.lines.length > 0);
  assert.equal(
    above.lines[0]?.message,
    'Failed to fetch an identity from the Workload API; will retry',
  );
  assert.equal(
    above.lines[0].fields['error'],
    'rpc error: code = PermissionDenied desc = no identity issued',
  );
  stop.abort(reason);
  await givenUp;
  await above.identify();
  await minted;
});

test('an identity is not waited for where the server can do without what it asks for', async (t) => {
  const above = await Above.start(t);
  // A hundred times as fast.
  const clock = {
    ...systemClock,
    sleep: (milliseconds: number, signal?: AbortSignal) =>
      systemClock.sleep(milliseconds / 100, signal),
  };
  await using authority = await load(above.settings, [], clock);
  const { signal } = new AbortController();
  const request = { csr: await csr(), ttlSeconds: 600, patient: false, signal };
  await assert.rejects(authority.mintX509Ca(request), {
    kind: 'internal',
    message:
      'upstreamauthority(spire): unable to create X509Source: no identity from the Workload API within 10 s',
  });
  await above.identify();
  await authority.mintX509Ca(request);
});

test('a Workload API that will not have it ends the call', async (t) => {
  const above = await Above.start(t);
  above.workloadApi.give(new Fault('invalid', 'security header missing from request'));
  await using authority = await above.open();
  await assert.rejects(mint(authority), {
    kind: 'internal',
    message:
      'upstreamauthority(spire): unable to create X509Source: security header missing from request',
  });
});

test('the connection ends with its last user, and a new one has the identity of then', async (t) => {
  const above = await Above.start(t);
  await above.identify('/workload');
  await using authority = await above.open();
  await assert.rejects(mint(authority), { kind: 'internal' });
  await above.identify();
  await mint(authority);
});

test('a new identity is shown on the next connection, a present one stays', async (t) => {
  const above = await Above.start(t);
  await above.identify();
  const { port } = above.server;
  await using authority = await above.open();
  const stop = new AbortController();
  const { updates } = await authority.subscribeToLocalBundle(stop.signal);
  const read = (async () => {
    for await (const _ of updates);
  })().catch(() => undefined);
  await above.identify('/workload');
  await mint(authority);
  await above.server.stop();
  await above.server.start({ bindPort: port });
  await above.identify('/workload');
  const denied = /PermissionDenied|Unavailable/;
  const deadline = Date.now() + 10_000;
  for (let said = ''; !said.includes('PermissionDenied'); ) {
    assert.ok(Date.now() < deadline, said);
    said = await mint(authority).then(
      () => assert.fail('minted'),
      (error: unknown) => String(error),
    );
    assert.match(said, denied);
  }
  stop.abort();
  await read;
});

test('the connection can be held to key exchanges that a quantum computer does not break', async (t) => {
  const above = await Above.start(t);
  await above.identify();
  await using authority = await above.open(
    settings({
      port: String(above.server.port),
      socket: above.server.path('workload.sock'),
      more: 'experimental { require_pq_kem = true }',
    }),
  );
  const { x509CaChain } = await mint(authority);
  assert.deepEqual(parseCertificate(x509CaChain[0] ?? new Uint8Array()).uris, [
    'spiffe://example.org',
  ]);
});

const jwtKey = async (keyId: string): Promise<KeyAuthority> => ({
  publicKey: (await generateKey('ec-p256')).publicKey.spki,
  keyId,
  expiresAt: 2_000_000_000,
  tainted: false,
});

describe("the spire authority's configuration", () => {
  const REFUSED = 'failed to configure plugin "spire": rpc error: code = InvalidArgument desc = ';
  const address = 'server_address = "a"';
  const port = `${address}\nserver_port = 1`;
  const refused: [hcl: string, message: string][] = [
    ['', 'server_address is required'],
    [address, 'server_port is required'],
    [port, 'workload_api_socket is required'],
    [
      `${port}\nexperimental { workload_api_named_pipe_name = "x" }`,
      'configuration: workload_api_named_pipe_name is not supported on this platform; please use workload_api_socket instead',
    ],
    ['server_address = []', 'plugin configuration is malformed'],
    ...['x', '0', '65536', '-1'].map((wrong): [string, string] => [
      `${address}\nserver_port = "${wrong}"\nworkload_api_socket = "s"`,
      `server_port must be a number from 1 to 65535; got "${wrong}"`,
    ]),
  ];
  for (const [hcl, message] of refused) {
    test(`is refused: ${message}`, async () => {
      await assert.rejects(load(hcl), { kind: 'invalid', message: `${REFUSED}${message}` });
      const notes = await validatePlugin(
        { kind: 'UpstreamAuthority', builtIns: upstreamAuthorities },
        { name: 'spire', data: pluginSettings(hcl) },
      );
      assert.equal(notes[0], message);
    });
  }

  test('tells all that is missing where it is only checked', async () => {
    const notes = await validatePlugin(
      { kind: 'UpstreamAuthority', builtIns: upstreamAuthorities },
      { name: 'spire', data: pluginSettings('') },
    );
    assert.deepEqual(notes, [
      'server_address is required',
      'server_port is required',
      'workload_api_socket is required',
    ]);
  });

  test('needs nobody to be there', async () => {
    const authority = await load(settings({ port: '1', socket: join('/nowhere', 'w.sock') }));
    await authority[Symbol.asyncDispose]();
  });
});
