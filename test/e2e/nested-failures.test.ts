import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { handshake, knowsRoots, svidOf, upstreamSpire, workloadIn } from '../kit/nested.ts';
import { accepts, eventually } from '../kit/programs.ts';
import { startTrustDomain, TrustDomainProcesses } from '../kit/trust-domain.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** A server that is configured to be below that one, and has no entry there; it does not run yet. */
async function configuredBelow(t: TestContext, above: TrustDomainProcesses, server = '') {
  const nested = await TrustDomainProcesses.create({});
  t.after(() => nested[Symbol.asyncDispose]());
  await nested.configure({
    server,
    serverAttestors: `NodeAttestor "join_token" { plugin_data {} } ${upstreamSpire(above, above.agentSocket)}`,
  });
  return nested;
}

const jwtKeyIds = async (domain: TrustDomainProcesses) =>
  (await bundleJson(domain)).jwt_authorities.map(({ key_id }) => key_id);

test('a nested server waits for its agent, and for its entry, and is there when they are', async (t) => {
  const root = await TrustDomainProcesses.create({});
  t.after(() => root[Symbol.asyncDispose]());
  await root.startServer();
  const token = await root.prepareAgent();
  const nested = await configuredBelow(t, root);
  const program = nested.runServerProcess();
  await program.says(
    /Failed to fetch an identity from the Workload API; will retry.*connect: no such file or directory/,
  );
  await root.startAgent('-joinToken', token);
  await program.says(
    /Failed to fetch an identity from the Workload API; will retry.*no identity issued/,
  );
  assert.equal(await accepts({ path: nested.serverSocket }), false);
  await root.createEntry('/nested', [OWN], '-downstream');
  await program.says(/X509 CA activated/);
  await eventually(() => accepts({ path: nested.serverSocket }), 'the server');
  await knowsRoots(nested, (await bundleJson(root)).x509_authorities);
});

test('a nested server that waits ends when it is told to', async (t) => {
  const root = await TrustDomainProcesses.create({});
  t.after(() => root[Symbol.asyncDispose]());
  const nested = await configuredBelow(t, root);
  const program = nested.runServerProcess();
  await program.says(/Failed to fetch an identity from the Workload API; will retry/);
  const started = Date.now();
  assert.deepEqual(await program.stop(), { code: 0, signal: null });
  assert.ok(Date.now() - started < 5_000);
});

test('a nested server without an entry that makes it one is told why, and ends', async (t) => {
  const root = await startTrustDomain(t);
  await root.createEntry('/plain', [OWN]);
  const nested = await configuredBelow(t, root);
  const program = nested.runServerProcess();
  assert.equal((await program.exited).code, 1);
  assert.match(
    program.output,
    /Fatal run error.*upstreamauthority\(spire\): unable to request a new Downstream X509CA: rpc error: code = PermissionDenied/,
  );
});

test('while the server above is away a nested one serves, restarts, and catches up when it is back', async (t) => {
  const root = await startTrustDomain(t);
  await root.createEntry('/nested', [OWN], '-downstream');
  const nested = await configuredBelow(t, root, 'default_x509_svid_ttl = "15s"');
  await nested.startServer();
  await nested.startAgent('-joinToken', await nested.prepareAgent());
  const above = await workloadIn(t, root, '/above');
  const below = await workloadIn(t, nested, '/below');
  await handshake(await svidOf(above), await svidOf(below));

  await root.server.stop();
  await nested.server.says(/Failed to fetch bundle while polling/);
  await nested.server.stop();
  const from = Date.now();
  await nested.startServer();
  await nested.server.says(
    /Failed to subscribe to the bundle of the upstream authority; will retry/,
  );
  assert.ok(Date.now() - from < 20_000);
  await handshake(await svidOf(above), await svidOf(below));
  const serial = async () => (await svidOf(below)).x509Svid;
  const before = await serial();
  await eventually(
    async () => Buffer.compare(before, await serial()) !== 0,
    'an SVID that is renewed below while nobody is above',
  );
  await nested.createEntry('/late', ['unix:uid:1005']);

  await root.startServer();
  const jwt = new LocalAuthorityCli(root, 'jwt');
  const prepared = await jwt.prepare();
  const x509 = await new LocalAuthorityCli(root, 'x509').prepare();
  assert.ok(x509);
  await eventually(
    async () => (await jwtKeyIds(nested)).includes(prepared),
    'the new key below',
    90_000,
  );
  await knowsRoots(nested, (await bundleJson(root)).x509_authorities);
  await handshake(await svidOf(above), await svidOf(below));
});

test('while the agent above is away a nested server keeps its identity, and its connection', async (t) => {
  const root = await startTrustDomain(t);
  await root.createEntry('/nested', [OWN], '-downstream');
  const nested = await configuredBelow(t, root);
  await nested.startServer();
  // The bundle above is followed from five seconds after the start on, over a connection that stays.
  const keyAbove = await new LocalAuthorityCli(root, 'jwt').prepare();
  await eventually(async () => (await jwtKeyIds(nested)).includes(keyAbove), 'the key of above');
  await root.agent.stop();
  await nested.server.says(/Failed to fetch an identity from the Workload API; will retry/);
  const prepared = await new LocalAuthorityCli(nested, 'x509').prepare();
  assert.ok(prepared);
  const key = await new LocalAuthorityCli(nested, 'jwt').prepare();
  assert.ok((await jwtKeyIds(root)).includes(key));
});

test('a nested server restarts while the agent above is away, with what its journal holds', async (t) => {
  const root = await startTrustDomain(t);
  await root.createEntry('/nested', [OWN], '-downstream');
  const nested = await configuredBelow(t, root);
  await nested.startServer();
  await root.agent.stop();
  await nested.restartServer();
  await assert.rejects(
    new LocalAuthorityCli(nested, 'x509').prepare(),
    /no identity from the Workload API within 10 s/,
  );
  await root.startAgent();
  await eventually(
    async () =>
      new LocalAuthorityCli(nested, 'x509').prepare().then(
        () => true,
        () => false,
      ),
    'the agent above',
  );
});
