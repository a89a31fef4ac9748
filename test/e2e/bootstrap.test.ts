import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { describe, type TestContext, test } from 'node:test';
import { readPem, writePem } from '../../src/crypto/pem.ts';
import { leafOf, rootAuthority } from '../kit/certificates.ts';
import { accepts, eventually } from '../kit/programs.ts';
import {
  type AgentProcess,
  startServerOnly,
  type TrustDomainProcesses,
} from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** Lets the first agent learn by these lines whom to trust, in place of a PEM file. */
async function bootstrapBy(agent: AgentProcess, ...lines: readonly string[]): Promise<void> {
  const config = await readFile(agent.configFile, 'utf8');
  const changed = config.replace(/^ *trust_bundle_path = .*$/m, lines.join('\n'));
  assert.notEqual(changed, config);
  await writeFile(agent.configFile, changed);
}

/** A new token for the agent's alias. No bundle is written. */
const tokenOf = (domain: TrustDomainProcesses): Promise<string> =>
  domain.newToken('-spiffeID', domain.agentId);

/** It has attested, is trusted, and keeps the server's bundle for its next start. */
async function isAttested(
  t: TestContext,
  domain: TrustDomainProcesses,
  token: string,
): Promise<void> {
  assert.deepEqual(await domain.agentPaths(), [`/spire/agent/join_token/${token}`]);
  assert.deepEqual(await storedBundle(domain), await bundleOf(domain));
  await domain.createEntry('/workload', [OWN]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/workload'));
}

/** Nobody was let in, and the token is as good as before. */
async function isRefused(domain: TrustDomainProcesses, agent: AgentProcess): Promise<void> {
  assert.deepEqual(await domain.agentPaths(), []);
  assert.equal(await accepts({ path: agent.socket }), false);
  assert.deepEqual(await agent.program.stop(), { code: 0, signal: null });
}

const base64 = (pem: string): string[] =>
  readPem(Buffer.from(pem)).map(({ der }) => Buffer.from(der).toString('base64'));

const bundleOf = async (domain: TrustDomainProcesses): Promise<string[]> =>
  base64((await domain.runServer('bundle', 'show')).stdout);

async function storedBundle(domain: TrustDomainProcesses): Promise<string[]> {
  const text = await readFile(`${domain.firstAgent.dataDirectory}/agent-data.json`, 'utf8');
  const { bundle } = JSON.parse(text) as { bundle: string[] };
  return bundle.flatMap((pem) => base64(Buffer.from(pem, 'base64').toString()));
}

describe('by a file', () => {
  test('that is a bundle document', async (t) => {
    const domain = await startServerOnly(t);
    const path = domain.path('bundle.json');
    const { stdout } = await domain.runServer('bundle', 'show', '-format', 'spiffe');
    await writeFile(path, stdout);
    await bootstrapBy(
      domain.firstAgent,
      `trust_bundle_path = "${path}"`,
      'trust_bundle_format = "spiffe"',
    );
    const token = await tokenOf(domain);
    await domain.startAgent('-joinToken', token);
    await isAttested(t, domain, token);
  });

  test('of another authority: the server is not told the token', async (t) => {
    const domain = await startServerOnly(t);
    const { certificate } = await rootAuthority('elsewhere', validNow());
    await writeFile(domain.path('bundle.pem'), writePem('CERTIFICATE', certificate.der));
    const token = await tokenOf(domain);
    const program = domain.firstAgent.run('-joinToken', token);
    await program.says(/Failed to retrieve attestation result.*signed by unknown authority/);
    await isRefused(domain, domain.firstAgent);

    await domain.writeBundle();
    await domain.startAgent('-joinToken', token);
    await isAttested(t, domain, token);
  });

  test('that is not there: what is wrong is said', async (t) => {
    const domain = await startServerOnly(t);
    const program = domain.firstAgent.run('-joinToken', 'any');
    await program.says(/could not parse trust bundle: open .*bundle\.pem: no such file/);
    await isRefused(domain, domain.firstAgent);
  });
});

describe('by a URL', () => {
  test('behind a Unix socket, which is asked until it answers, and no more after that', async (t) => {
    const domain = await startServerOnly(t);
    const bundle = (await domain.runServer('bundle', 'show')).stdout;
    const asked: string[] = [];
    const socket = domain.path('bundle.sock');
    await serve(t, createServer, { path: socket }, ({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(asked.length === 1 ? 503 : 200).end(bundle);
    });
    await bootstrapBy(
      domain.firstAgent,
      'trust_bundle_url = "http://localhost/bundle"',
      `trust_bundle_unix_socket = "${socket}"`,
      'trust_bundle_format = "pem"',
    );
    const token = await tokenOf(domain);
    const starting = domain.startAgent('-joinToken', token);
    await eventually(() => asked.length === 1, 'the first question');
    await domain.agent.says(/error downloading trust bundle: 503 Service Unavailable/);
    await starting;
    await isAttested(t, domain, token);
    const attempts = asked.map((url) => new URL(url, 'http://localhost').searchParams);
    assert.deepEqual(
      attempts.map((query) => [
        query.get('spire-attest-mode'),
        query.get('spire-connection-attempts'),
        query.get('spiffe-trust-domain'),
      ]),
      [
        ['bootstrap', '1', domain.name],
        ['bootstrap', '2', domain.name],
      ],
    );

    await domain.restartAgent();
    assert.equal(asked.length, 2);
  });

  test('by https, from a host that the machine trusts', async (t) => {
    const domain = await startServerOnly(t);
    const bundle = (await domain.runServer('bundle', 'show')).stdout;
    const authority = await rootAuthority('the web', validNow());
    const { port } = await serveSecurely(t, authority, (_, response) => response.end(bundle));
    await bootstrapBy(
      domain.firstAgent,
      `trust_bundle_url = "https://localhost:${port}/bundle"`,
      'trust_bundle_format = "pem"',
    );
    const token = await tokenOf(domain);
    const program = domain.firstAgent.run('-joinToken', token);
    await program.says(/unable to fetch trust bundle URL https:\/\/localhost:\d+\/bundle: /);
    await isRefused(domain, domain.firstAgent);

    const trusted = domain.path('the-web.pem');
    await writeFile(trusted, writePem('CERTIFICATE', authority.certificate.der));
    const former = process.env['SSL_CERT_FILE'];
    process.env['SSL_CERT_FILE'] = trusted;
    t.after(() => {
      if (former === undefined) delete process.env['SSL_CERT_FILE'];
      else process.env['SSL_CERT_FILE'] = former;
    });
    await domain.startAgent('-joinToken', token);
    await isAttested(t, domain, token);
  });

  test('that gives something else than a bundle: what is wrong is said', async (t) => {
    const domain = await startServerOnly(t);
    const socket = domain.path('bundle.sock');
    await serve(t, createServer, { path: socket }, (_, response) => response.end('{}'));
    await bootstrapBy(
      domain.firstAgent,
      'trust_bundle_url = "http://localhost/bundle"',
      `trust_bundle_unix_socket = "${socket}"`,
      'trust_bundle_format = "spiffe"',
    );
    const program = domain.firstAgent.run('-joinToken', await tokenOf(domain));
    await program.says(/Failed to retrieve attestation result.* error=".*bundle/);
    await isRefused(domain, domain.firstAgent);
  });
});

describe('by believing whoever answers first', () => {
  test('lets the agent attest, with a warning; from then on only that server is believed', async (t) => {
    const domain = await startServerOnly(t);
    await bootstrapBy(domain.firstAgent, 'insecure_bootstrap = true');
    const token = await tokenOf(domain);
    await domain.startAgent('-joinToken', token);
    await domain.agent.says(
      /level=warning msg="Insecure bootstrap enabled; skipping server certificate verification"/,
    );
    await isAttested(t, domain, token);

    // A server of the same name with other authorities: even the same agent's next start refuses it.
    await domain.agent.stop();
    const other = await startServerOnly(t);
    await sendTo(domain.firstAgent, other);
    const program = domain.firstAgent.run('-joinToken', await tokenOf(other));
    await program.says(/signed by unknown authority/);
    assert.doesNotMatch(program.stdout, /Insecure bootstrap/);
    assert.deepEqual(await other.agentPaths(), []);
    await program.stop();
  });

  test('does not believe a server of another trust domain', async (t) => {
    const domain = await startServerOnly(t);
    const other = await startServerOnly(t, { name: 'other.test' });
    await bootstrapBy(domain.firstAgent, 'insecure_bootstrap = true');
    await sendTo(domain.firstAgent, other);
    const program = domain.firstAgent.run('-joinToken', await tokenOf(other));
    await program.says(
      /expected server SPIFFE ID \\"spiffe:\/\/example\.test\/spire\/server\\"; got \[\\"spiffe:\/\/other\.test\/spire\/server\\"\]/,
    );
    await isRefused(other, domain.firstAgent);
  });
});

/** Lets an agent call the server of another trust domain. */
async function sendTo(agent: AgentProcess, { port }: TrustDomainProcesses): Promise<void> {
  const config = await readFile(agent.configFile, 'utf8');
  await writeFile(agent.configFile, config.replace(/server_port = .*/, `server_port = "${port}"`));
}

function validNow() {
  const now = Math.floor(Date.now() / 1000);
  return { notBefore: now - 60, notAfter: now + 3600 };
}

async function serve(
  t: TestContext,
  create: (listener: RequestListener) => Server,
  address: { path: string } | { host: string; port: number },
  listener: RequestListener,
): Promise<Server> {
  const server = create(listener);
  await new Promise<void>((resolve) => server.listen(address, resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

async function serveSecurely(
  t: TestContext,
  authority: Awaited<ReturnType<typeof rootAuthority>>,
  listener: RequestListener,
): Promise<{ readonly port: number }> {
  const { certificate, key } = await leafOf(authority, '', {
    ...validNow(),
    uris: [],
    dnsNames: ['localhost'],
  });
  const identity = {
    cert: writePem('CERTIFICATE', certificate.der),
    key: writePem('PRIVATE KEY', key.toPkcs8()),
  };
  const create = (answer: RequestListener) => createSecureServer(identity, answer);
  const server = await serve(t, create, { host: 'localhost', port: 0 }, listener);
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address;
}
