import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  askEndpoint,
  carryBundle,
  federationBlock,
  spiffeRelationship,
  webFiles,
} from '../kit/bundle-endpoint.ts';
import { eventually, freePort } from '../kit/programs.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

/** A token of one trust domain's, as another's bundle verifies it. */
const documentOf = async (server: TrustDomainProcesses, id: string): Promise<string> =>
  (await server.runServer('bundle', 'list', '-id', id, '-format', 'spiffe')).stdout;

/** Key IDs are how a bundle is told from an older one. */
const keyIds = (document: string): string[] =>
  [...document.matchAll(/"kid": "([^"]+)"/g)].map(([, kid = '']) => kid);

test('two servers that know each other keep each other’s bundle', async (t) => {
  const [portA, portB] = [await freePort(), await freePort()];
  const endpoint = (port: number) => `port = ${port} profile "https_spiffe" {}`;
  const a = await startServerOnly(t, {
    name: 'a.test',
    server: federationBlock(endpoint(portA), spiffeRelationship('b.test', portB)),
  });
  const b = await startServerOnly(t, {
    name: 'b.test',
    server: federationBlock(endpoint(portB), spiffeRelationship('a.test', portA)),
  });
  await a.server.says(/Error updating bundle.*local copy of bundle not found/);
  const early = await a.tryServer('federation', 'refresh', '-id', 'b.test');
  assert.equal(early.code, 1);
  assert.match(early.stderr, /can't perform SPIFFE Authentication: local copy of bundle not found/);

  await carryBundle(a, b);
  await carryBundle(b, a);
  for (const [server, other, port] of [
    [a, b, portB],
    [b, a, portA],
  ] as const) {
    await server.runServer('federation', 'refresh', '-id', other.name);
    const { text, names } = await askEndpoint(port);
    assert.equal(names, `URI:spiffe://${other.name}/spire/server`);
    assert.deepEqual(keyIds(await documentOf(server, other.name)), keyIds(text));
    assert.match(text, /\n {4}"spiffe_refresh_hint": 300\n\}$/);
  }

  // A new key of B's is served by B, and fetched by A.
  await b.runServer('localauthority', 'jwt', 'prepare');
  assert.equal(keyIds((await askEndpoint(portB)).text).length, 2);
  await a.runServer('federation', 'refresh', '-id', 'b.test');
  assert.equal(keyIds(await documentOf(a, 'b.test')).length, 2);

  // The relationship stands in the configuration: it is not the API's.
  const { stdout } = await a.runServer('federation', 'list');
  assert.equal(stdout, 'Found 0 federation relationships\n');

  // Restarted, A polls by itself.
  await a.restartServer();
  await a.server.says(/Bundle refreshed.*trust_domain=b\.test/);
  await a.server.says(/Scheduling next bundle refresh/);
});

test('a relationship that is made by command brings the bundle, and goes again', async (t) => {
  const port = await freePort();
  const b = await startServerOnly(t, { name: 'b.test', server: federationBlock(`port = ${port}`) });
  const a = await startServerOnly(t, { name: 'a.test' });
  const bundle = await b.runServer('bundle', 'show', '-format', 'spiffe');
  const file = a.path('b.json');
  await writeFile(file, bundle.stdout);
  const url = `https://localhost:${port}`;
  const flags =
    `-trustDomain b.test -bundleEndpointURL ${url} -bundleEndpointProfile https_spiffe`.split(' ');
  const asked = a.server.output.length;
  const id = ['-endpointSpiffeID', 'spiffe://b.test/spire/server'];
  const bootstrap = ['-trustDomainBundlePath', file, '-trustDomainBundleFormat', 'spiffe'];
  await a.runServer('federation', 'create', ...flags, ...id, ...bootstrap);
  const since = () => a.server.output.slice(asked);
  await eventually(() => /Bundle refreshed.*trust_domain=b\.test/.test(since()), 'a refresh');

  // Somebody else at that address changes nothing.
  const before = await documentOf(a, 'b.test');
  await a.runServer('federation', 'update', ...flags, '-endpointSpiffeID', 'spiffe://b.test/other');
  await eventually(
    () => /unexpected ID \\"spiffe:\/\/b\.test\/spire\/server/.test(since()),
    'a refusal',
  );
  const refused = await a.tryServer('federation', 'refresh', '-id', 'b.test');
  assert.match(refused.stderr, /unexpected ID "spiffe:\/\/b\.test\/spire\/server"/);
  assert.equal(await documentOf(a, 'b.test'), before);

  await a.runServer('federation', 'delete', '-id', 'b.test');
  await eventually(() => /No longer polling for updates/.test(since()), 'the end of it');
  assert.equal(await documentOf(a, 'b.test'), before, 'the bundle stays');
  const gone = await a.tryServer('federation', 'refresh', '-id', 'b.test');
  assert.equal(
    gone.stderr,
    'Error: there is no federation relationship with trust domain "b.test"\n',
  );
});

test('an endpoint of the web is believed by its certificate, also after that was renewed', async (t) => {
  const port = await freePort();
  const b = await startServerOnly(t, { name: 'b.test' });
  const first = await webFiles(b.folder);
  await b.configure({ name: 'b.test', server: federationBlock(`port = ${port} ${first.profile}`) });
  await b.restartServer();
  const a = await startServerOnly(t, {
    name: 'a.test',
    environment: { SSL_CERT_FILE: first.authority },
    server: `federation { federates_with "b.test" {
      bundle_endpoint_url = "https://localhost:${port}/" bundle_endpoint_profile "https_web" {}
    } }`,
  });
  await a.server.says(/Bundle refreshed.*trust_domain=b\.test/);
  const served = await askEndpoint(port, { ca: first.authority });
  assert.deepEqual(keyIds(await documentOf(a, 'b.test')), keyIds(served.text));

  // Another authority's certificate is taken without a restart, and A does not believe it.
  const seen = b.server.output.length;
  const second = await webFiles(b.folder);
  await eventually(
    () => b.server.output.slice(seen).includes('Loaded provided certificate with success'),
    'the new pair',
  );
  await askEndpoint(port, { ca: second.authority });
  const refused = await a.tryServer('federation', 'refresh', '-id', 'b.test');
  assert.match(refused.stderr, /x509: certificate signed by unknown authority/);
});

test('a server whose bundle endpoint cannot be had does not start', async (t) => {
  const port = await freePort();
  await startServerOnly(t, { name: 'a.test', server: federationBlock(`port = ${port}`) });
  const b = await startServerOnly(t, { name: 'b.test' });
  await b.server.stop();
  await b.configure({ name: 'b.test', server: federationBlock(`port = ${port}`) });
  const { code } = await b.runServerProcess().exited;
  assert.equal(code, 1);
  assert.match(
    b.server.output,
    new RegExp(`listen tcp 127.0.0.1:${port}: bind: address already in use`),
  );
});
