import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, get } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { eventually } from '../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { TestServer, type TestServerOptions } from '../../test/kit/server.ts';
import { buildCsr } from '../crypto/csr.ts';
import { generateKey } from '../crypto/keys.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import { nameText } from '../crypto/x509/name.ts';
import { dial } from '../rpc/dial.ts';
import { Agent } from '../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../wire/gen/spire/api/server/svid/v1/svid_pb.ts';

/*
 * What is written in a configuration file reaches what it is for: real servers, whose values are not the defaults. The
 * table that names a test for every key is in `test/config-keys/`.
 */

/** Certificates begin a little before they are made, so that clocks may differ. */
const BACKDATE_SECONDS = 10;

async function world(t: TestContext, options: TestServerOptions) {
  const lines: LogLine[] = [];
  const server = await TestServer.start(t, { log: recordingLog(lines), ...options });
  const local = server.dialLocal();
  t.after(() => {
    local[Symbol.dispose]();
  });
  const csr = async (uri: string) =>
    await buildCsr({ uris: [uri], dnsNames: [] }, await generateKey('ec-p256'));
  const authority = async () => {
    const { x509Authorities } = await local.client(Bundle).getBundle({});
    return parseCertificate(x509Authorities[0]?.asn1 ?? new Uint8Array());
  };
  const mintX509 = async () => {
    const { svid } = await local
      .client(SVID)
      .mintX509SVID({ csr: await csr('spiffe://example.org/x') });
    return parseCertificate(svid?.certChain[0] ?? new Uint8Array());
  };
  const mintJwt = async () => {
    const id = { trustDomain: 'example.org', path: '/x' };
    const { svid } = await local.client(SVID).mintJWTSVID({ id, audience: ['a'] });
    return svid;
  };
  return { server, lines, local, authority, mintX509, mintJwt };
}

const lifetime = ({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number =>
  notAfter - notBefore - BACKDATE_SECONDS;

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as never;

/** Attests with a new token; the result is the agent's certificate. */
async function attest(server: TestServer, address?: string) {
  using local = server.dialLocal();
  const { value } = await local.client(Agent).createJoinToken({ ttl: 60 });
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const data = { type: 'join_token', payload: Buffer.from(value) };
  using stranger =
    address === undefined
      ? server.dialTcp()
      : dial({ address, tls: { verify: async () => undefined } });
  const answered = Promise.withResolvers<void>();
  async function* requests() {
    yield { step: { case: 'params' as const, value: { data, params: { csr } } } };
    await answered.promise;
  }
  for await (const { step } of stranger.client(Agent).attestAgent(requests())) {
    answered.resolve();
    if (step.case === 'result') {
      return {
        leaf: parseCertificate(step.value.svid?.certChain[0] ?? new Uint8Array()),
        path: step.value.svid?.id?.path,
      };
    }
  }
  throw new Error('no SVID came');
}

test('ca_ttl, ca_key_type and ca_subject make the authority', async (t) => {
  const { authority } = await world(t, {
    server: `
      ca_ttl = "50h" ca_key_type = "EC-P384"
      ca_subject { country = ["CH"] organization = ["Acme", "Sub"] common_name = "root" }`,
  });
  const root = await authority();
  assert.equal(lifetime(root), 50 * 3600);
  assert.equal(root.publicKey?.kind, 'ec-p384');
  assert.match(nameText(root.subject), /^SERIALNUMBER=\d+,CN=root,O=Sub\+O=Acme,C=CH$/);
});

test('default_x509_svid_ttl, default_jwt_svid_ttl, agent_ttl and jwt_issuer are those of what is issued', async (t) => {
  const { server, mintX509, mintJwt } = await world(t, {
    server: `
      default_x509_svid_ttl = "11m" default_jwt_svid_ttl = "7m" agent_ttl = "13m"
      jwt_issuer = "https://issuer.test" jwt_key_type = "ec-p384"`,
  });
  assert.equal(lifetime(await mintX509()), 11 * 60);
  const token = await mintJwt();
  assert.equal(Number(token?.expiresAt) - Number(token?.issuedAt), 7 * 60);
  assert.equal(claimsOf(token?.token ?? '')['iss'], 'https://issuer.test');
  const header = Buffer.from(token?.token.split('.')[0] ?? '', 'base64url').toString();
  assert.match(header, /"alg":"ES384"/);
  assert.equal(lifetime((await attest(server)).leaf), 13 * 60);
});

test('wit_key_type and wit_issuer are those of WIT-SVIDs', async (t) => {
  const { local } = await world(t, {
    server: `experimental {
      feature_flags = ["wit-svid"] wit_key_type = "ec-p384" wit_issuer = "https://wit.test"
    }`,
  });
  const { publicKey } = await generateKey('ec-p256');
  const { svid } = await local.client(SVID).mintWITSVID({
    id: { trustDomain: 'example.org', path: '/x' },
    publicKey: publicKey.spki,
    signingAlgorithm: 'ES256',
  });
  assert.equal(claimsOf(svid?.token ?? '')['iss'], 'https://wit.test');
  const header = Buffer.from(svid?.token.split('.')[0] ?? '', 'base64url').toString();
  assert.match(header, /"alg":"ES384"/);
});

test('disable_jwt_svids leaves no JWT key, and gives no JWT-SVID', async (t) => {
  const { local, mintJwt, lines } = await world(t, { server: 'disable_jwt_svids = true' });
  assert.deepEqual((await local.client(Bundle).getBundle({})).jwtAuthorities, []);
  await assert.rejects(mintJwt(), { kind: 'unimplemented' });
  assert.ok(lines.some(({ message }) => message === 'JWT-SVID profile is disabled'));
});

test('audit_log_enabled has calls told', async (t) => {
  const audited = async (enabled: boolean) => {
    const { lines, mintX509 } = await world(t, { server: `audit_log_enabled = ${enabled}` });
    await mintX509();
    return lines
      .filter(({ message }) => message === 'API accessed')
      .map(({ fields }) => fields['method']);
  };
  assert.ok((await audited(true)).includes('MintX509SVID'));
  assert.deepEqual(await audited(false), []);
});

test('experimental.agent_spiffe_id_as_selector gives an agent one more selector', async (t) => {
  const selectors = async (value: boolean) => {
    const { server, local } = await world(t, {
      server: `experimental { agent_spiffe_id_as_selector = ${value} }`,
    });
    const { path = '' } = await attest(server);
    const agent = await local.client(Agent).getAgent({ id: { trustDomain: 'example.org', path } });
    return agent.selectors.map(({ type }) => type);
  };
  assert.deepEqual(await selectors(true), ['spiffe_id']);
  assert.deepEqual(await selectors(false), []);
});

test('ratelimit.attestation switches the limit of attestations off', async (t) => {
  const clock = new VirtualClock();
  const limited = await world(t, { clock, server: 'ratelimit { attestation = true }' });
  await attest(limited.server);
  const sleepers = clock.sleepers;
  const second = attest(limited.server);
  await eventually(() => clock.sleepers > sleepers, 'the wait for the next second');
  await clock.advance({ seconds: 1 });
  await second;

  // Here no time passes.
  const free = await world(t, { clock, server: 'ratelimit { attestation = false }' });
  for (let count = 0; count < 3; count++) await attest(free.server);
});

test('proxy_protocol_trusted_cidrs: audit lines and limits are about the address that the proxy tells', async (t) => {
  const { server, lines } = await world(t, {
    clock: new VirtualClock(),
    server: 'audit_log_enabled = true proxy_protocol_trusted_cidrs = ["127.0.0.0/8"]',
  });
  const seen: unknown[] = [];
  // No time passes, and an address has one attestation a second.
  for (const source of ['192.0.2.1 4711', '192.0.2.2 4712', '2001:db8::3 4713']) {
    await attest(server, await loadBalancer(t, server.port, source));
  }
  for (const { message, fields } of lines) {
    if (message === 'API accessed' && fields['method'] === 'AttestAgent')
      seen.push(fields['caller_addr']);
  }
  assert.deepEqual(seen, ['192.0.2.1:4711', '192.0.2.2:4712', '[2001:db8::3]:4713']);
});

/** What connects to the server in the name of `source`; the result is where it listens. */
async function loadBalancer(t: TestContext, port: number, source: string): Promise<string> {
  const sockets: Socket[] = [];
  const [address = '', sourcePort = ''] = source.split(' ');
  const [family, destination] = address.includes(':') ? ['TCP6', '::1'] : ['TCP4', '127.0.0.1'];
  const listener = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    far.write(`PROXY ${family} ${address} ${destination} ${sourcePort} ${port}\r\n`);
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on('error', () => undefined);
    sockets.push(near, far);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const bound = listener.address();
  assert.ok(typeof bound === 'object' && bound !== null);
  return `127.0.0.1:${bound.port}`;
}

test('profiling_enabled and profiling_port serve profiles to this machine', async (t) => {
  const port = await freePort();
  const { server } = await world(t, {
    server: `profiling_enabled = true profiling_port = ${port}`,
  });
  const status = () =>
    new Promise<number | undefined>((resolve) => {
      get({ host: '127.0.0.1', port, path: '/debug/pprof/', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', () => {
        resolve(undefined);
      });
    });
  assert.equal(await status(), 200);
  await server.stop();
  await eventually(async () => (await status()) === undefined, 'the end of the endpoint');
});

async function freePort(): Promise<number> {
  const server = createHttpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return address.port;
}
