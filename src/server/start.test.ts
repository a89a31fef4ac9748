import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { fixedLevels, noSignal } from '../../test/kit/program-env.ts';
import { eventually } from '../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { TestServer } from '../../test/kit/server.ts';
import { systemClock } from '../base/clock.ts';
import { openDataDirectory } from '../base/data-directory.ts';
import { buildCsr } from '../crypto/csr.ts';
import { generateKey } from '../crypto/keys.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import { silentLog } from '../ops/log.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { Health } from '../wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { startServer } from './start.ts';

test('a new server serves both listeners, and is healthy', async (t) => {
  const lines: LogLine[] = [];
  const server = await TestServer.start(t, { log: recordingLog(lines) });
  using local = server.dialLocal();
  using tcp = server.dialTcp();
  assert.equal((await local.client(Health).check({})).status, 1);
  const fromHere = await local.client(Bundle).getBundle({});
  const fromAfar = await tcp.client(Bundle).getBundle({});
  assert.deepEqual(fromHere, fromAfar);
  assert.equal(fromHere.trustDomain, 'example.org');
  assert.equal(fromHere.x509Authorities.length, 1);
  assert.equal(fromHere.jwtAuthorities.length, 1);
  const started = lines.filter(({ message }) => message === 'Starting Server APIs');
  assert.deepEqual(
    started.map(({ fields }) => [fields['network'], fields['address']]),
    [
      ['tcp', `127.0.0.1:${server.port}`],
      ['unix', server.socketPath],
    ],
  );
});

test('files and folders are for the server alone', async (t) => {
  const server = await TestServer.start(t);
  const mode = (path: string) => (statSync(server.path(path)).mode & 0o777).toString(8);
  assert.equal(mode('data/keys.json'), '600');
  assert.equal(mode('private'), '750');
  assert.equal(mode('private/api.sock'), '770');
});

test('a restart goes on with the same authorities and entries', async (t) => {
  const server = await TestServer.start(t);
  const before = await snapshot(server);
  await server.stop();
  assert.equal(existsSync(server.socketPath), false);
  await server.start();
  assert.deepEqual(await snapshot(server), before);
});

async function snapshot(server: TestServer) {
  using local = server.dialLocal();
  const entries = await local.client(Entry).listEntries({});
  return { bundle: await local.client(Bundle).getBundle({}), entries };
}

test('an agent attests by a join token, and is known when it comes again', async (t) => {
  const server = await TestServer.start(t);
  using local = server.dialLocal();
  using stranger = server.dialTcp();
  const { value } = await local.client(Agent).createJoinToken({ ttl: 60 });
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const payload = Buffer.from(value);
  async function* attestation() {
    const params = { data: { type: 'join_token', payload }, params: { csr } };
    yield { step: { case: 'params', value: params } } as const;
  }
  let chain: readonly Uint8Array[] = [];
  for await (const answer of stranger.client(Agent).attestAgent(attestation())) {
    if (answer.step.case === 'result') chain = answer.step.value.svid?.certChain ?? [];
  }
  const [leaf] = chain;
  assert.ok(leaf);
  assert.deepEqual(parseCertificate(leaf).uris, [
    `spiffe://example.org/spire/agent/join_token/${value}`,
  ]);
  using agent = server.dialTcp({
    identity: () => ({ chain, privateKey: key.toPkcs8() }),
  });
  const entries = await agent.client(Entry).getAuthorizedEntries({});
  assert.deepEqual(entries.entries, []);
  const renewed = await agent.client(Agent).renewAgent({ params: { csr } });
  assert.equal(renewed.svid?.certChain.length, 1);
});

test('a caller with a certificate that no bundle verifies gets no connection', async (t) => {
  const server = await TestServer.start(t);
  const other = await TestServer.start(t);
  using elsewhere = other.dialLocal();
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: ['spiffe://example.org/me'], dnsNames: [] }, key);
  const { svid } = await elsewhere.client(SVID).mintX509SVID({ csr });
  using tcp = server.dialTcp({
    identity: () => ({ chain: svid?.certChain ?? [], privateKey: key.toPkcs8() }),
  });
  await assert.rejects(tcp.client(Bundle).getBundle({}), { kind: 'unavailable' });
});

test("goes on with SPIRE's own directory", async (t) => {
  const fixture = join(import.meta.dirname, '../../test/data/fixtures/server/data');
  const server = await TestServer.create(t, {
    trustDomain: 'golden.test',
    clock: new VirtualClock(Date.UTC(2026, 11, 1)),
    server: 'ca_ttl = "262800h"\nexperimental { feature_flags = ["wit-svid"] }',
  });
  await mkdir(server.path('data'));
  for (const name of ['keys.json', 'datastore.sqlite3']) {
    await copyFile(join(fixture, name), server.path(`data/${name}`));
  }
  const keys = await readFile(server.path('data/keys.json'), 'utf8');
  await server.start();
  using local = server.dialLocal();
  const { entries } = await local.client(Entry).listEntries({});
  assert.equal(entries.length, 6);
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: ['spiffe://golden.test/me'], dnsNames: [] }, key);
  const { svid } = await local.client(SVID).mintX509SVID({ csr });
  const [leaf] = svid?.certChain ?? [];
  assert.ok(leaf);
  const { authorityKeyId } = parseCertificate(leaf);
  assert.equal(
    Buffer.from(authorityKeyId ?? []).toString('hex'),
    'f332a694d861b73bd65985b5d102e51461fde84a',
  );
  await server.stop();
  assert.equal(await readFile(server.path('data/keys.json'), 'utf8'), keys);
});

test('a start on a used port changes nothing', async (t) => {
  const server = await TestServer.create(t);
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await assert.rejects(server.start({ bindPort: port }), {
    kind: 'unavailable',
    message: `listen tcp 127.0.0.1:${port}: bind: address already in use`,
  });
  assert.deepEqual(await readdir(server.folder), ['server.conf']);
});

test('a path that is too long for a socket is refused before anything is made', async (t) => {
  const server = await TestServer.create(t);
  const socketPath = server.path(`${'x'.repeat(100)}/api.sock`);
  await assert.rejects(server.start({ socketPath }), {
    kind: 'invalid',
    message: /^socket path is too long: /,
  });
  assert.deepEqual(await readdir(server.folder), ['server.conf']);
});

test('a start on the socket of a running server changes nothing of it', async (t) => {
  const first = await TestServer.start(t);
  const second = await TestServer.create(t);
  await assert.rejects(second.start({ socketPath: first.socketPath }), {
    kind: 'failed-precondition',
  });
  assert.deepEqual(await readdir(second.folder), ['server.conf']);
  using local = first.dialLocal();
  assert.equal((await local.client(Health).check({})).status, 1);
});

test('a second start on the same directory leaves the first one as it is', async (t) => {
  const server = await TestServer.start(t);
  const keys = await readFile(server.path('data/keys.json'), 'utf8');
  const config = await server.config();
  await assert.rejects(
    startServer(config, {
      log: silentLog,
      logLevels: fixedLevels(),
      environment: {},
      onSigusr1: noSignal,
      clock: systemClock,
      random: Math.random,
      signal: new AbortController().signal,
    }),
    { kind: 'failed-precondition' },
  );
  assert.equal(await readFile(server.path('data/keys.json'), 'utf8'), keys);
  using local = server.dialLocal();
  assert.equal((await local.client(Health).check({})).status, 1);
});

test('a start that fails halfway undoes itself', async (t) => {
  const lines: LogLine[] = [];
  const server = await TestServer.create(t, { log: recordingLog(lines) });
  await mkdir(server.path('data'));
  await writeFile(server.path('data/keys.json'), '{"keys": ');
  await assert.rejects(
    server.start(),
    /failed to configure plugin "disk": rpc error: code = Internal desc = unable to decode keys/,
  );
  assert.deepEqual(
    lines.slice(-2).map(({ message }) => message),
    ['Catalog closed', 'DataStore closed'],
  );
  assert.equal(await readFile(server.path('data/keys.json'), 'utf8'), '{"keys": ');
  await rm(server.path('data/keys.json'));
  await server.start();
});

test('a start that is given up ends with the reason', async (t) => {
  const server = await TestServer.create(t);
  const stop = new AbortController();
  stop.abort(new Error('never mind'));
  await assert.rejects(server.start({}, stop.signal), /never mind/);
  assert.equal(existsSync(server.socketPath), false);
});

test('a database of another trust domain is refused', async (t) => {
  const server = await TestServer.start(t);
  using local = server.dialLocal();
  const id = (path: string) => ({ trustDomain: 'example.org', path });
  const entry = {
    spiffeId: id('/web'),
    parentId: id('/node'),
    selectors: [{ type: 'unix', value: 'uid:1' }],
  };
  await local.client(Entry).batchCreateEntry({ entries: [entry] });
  await server.stop();
  await assert.rejects(
    server.start({ trustDomain: TrustDomain.parse('other.test') }),
    /^Fault: a registration entry with trust domain 'example.org' has been detected/,
  );
});

test("a data directory that cannot be made is told in Go's words", async (t) => {
  const server = await TestServer.create(t);
  const dataDir = server.path('server.conf/data');
  await assert.rejects(server.start({ dataDir }), { message: `mkdir ${dataDir}: not a directory` });
});

test('a data directory where nothing can be made ends the start', async (t) => {
  const server = await TestServer.create(t);
  await assert.rejects(server.start({ dataDir: '/proc/nope' }), {
    message: 'mkdir /proc/nope: no such file or directory',
  });
});

test('a data directory that belongs to somebody else is refused with what to do', async () => {
  const denied = Object.assign(new Error("EACCES: permission denied, access 'x'"), {
    code: 'EACCES',
  });
  const folders = {
    makeFolders: async () => undefined,
    access: () => Promise.reject(denied),
    stat: async () => ({ uid: 1234 }),
  };
  await assert.rejects(openDataDirectory('/data', folders), {
    kind: 'failed-precondition',
    message: `data directory /data cannot be used: permission denied (it belongs to uid 1234, this process runs as uid ${process.geteuid?.()}; run as its owner, change its owner, or set data_dir)`,
  });
});

test('a plugin of a kind that nobody knows is refused', async (t) => {
  const server = await TestServer.create(t, { plugins: 'Oracle "delphi" { plugin_data {} }' });
  await assert.rejects(server.start(), { message: 'unsupported plugin type "Oracle"' });
});

test('probes are answered where they are configured', async (t) => {
  const lines: LogLine[] = [];
  const server = await TestServer.start(t, {
    more: 'health_checks { listener_enabled = true bind_address = "127.0.0.1" bind_port = "0" }',
    log: recordingLog(lines),
  });
  const serving = lines.find(({ message }) => message === 'Serving health checks');
  const address = serving?.fields['address'];
  assert.ok(typeof address === 'string');
  const url = `http://${address}`;
  const all = '{"catalog.datastore":{},"server":{},"server.ca":{},"server.ca.rotator":{}}\n';
  await eventually(
    async () => (await fetch(`${url}/ready`)).status === 200,
    'all checks to be well',
  );
  assert.equal(await (await fetch(`${url}/ready`)).text(), all);
  await server.stop();
  await assert.rejects(fetch(`${url}/live`));
});
