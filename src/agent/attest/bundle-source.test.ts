import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../ops/log.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { fetchTrustBundle } from './bundle-source.ts';

const bundlePem = join(import.meta.dirname, '../../../test/data/fixtures/agent/bundle.pem');
const deps = {
  trustDomain: TrustDomain.parse('golden.test'),
  configuredTrustDomain: 'spiffe://golden.test',
  serverHost: 'server.test',
  serverPort: 8081,
  environment: {},
  log: silentLog,
};
const state = { use: 'bootstrap', startedAt: Date.UTC(2026, 0, 1), attempts: 3 } as const;
const { signal } = new AbortController();

test('a path is read anew each time', async () => {
  const source = { kind: 'path', path: bundlePem, format: 'pem' } as const;
  const bundle = await fetchTrustBundle(deps, source, state, signal);
  assert.ok(bundle.x509Authorities.length > 0);
});

test('a path that cannot be read is a trust bundle that cannot be parsed, in the words of SPIRE', async () => {
  const source = { kind: 'path', path: '/nonexistent/bundle.pem', format: 'pem' } as const;
  await assert.rejects(fetchTrustBundle(deps, source, state, signal), {
    message:
      'could not parse trust bundle: open /nonexistent/bundle.pem: no such file or directory',
  });
});

test('a file without a bundle is named', async () => {
  const source = { kind: 'path', path: '/dev/null', format: 'pem' } as const;
  await assert.rejects(fetchTrustBundle(deps, source, state, signal), {
    message: 'could not parse trust bundle: no PEM blocks (/dev/null)',
  });
});

test('whoever serves the socket is told which attempt of whom this is', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bundle-source-'));
  const unixSocket = join(directory, 'http.sock');
  const asked: string[] = [];
  const content = await readFile(bundlePem);
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(unixSocket, resolve);
  });
  try {
    const url = 'http://bundles.test/bundle?zone=a';
    const source = { kind: 'url', url, format: 'pem', unixSocket } as const;
    await fetchTrustBundle(deps, source, state, signal);
    const { pathname, searchParams } = new URL(asked[0] ?? '', 'http://x');
    assert.equal(pathname, '/bundle');
    assert.deepEqual(
      [...searchParams.entries()].filter(([name]) => name !== 'spire-attest-start-time'),
      [
        ['spiffe-trust-domain', 'spiffe://golden.test'],
        ['spire-attest-mode', 'bootstrap'],
        ['spire-connection-attempts', '3'],
        ['spire-server-address', 'server.test'],
        ['spire-server-port', '8081'],
        ['zone', 'a'],
      ],
    );
    assert.equal(
      Date.parse(searchParams.get('spire-attest-start-time') ?? ''),
      Date.UTC(2026, 0, 1),
    );
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  }
});
