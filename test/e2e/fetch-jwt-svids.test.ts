import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentInfo, apiAs, cachesX509Svids, fetchAs, hasHeardOf } from '../kit/agent-commands.ts';
import { startStandardDomain } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';

const ATTEMPTS = 15;

/** SPIRE's scenario fetch-jwt-svids. */
test('a workload has all of its JWT-SVIDs, until the server has no more to do with JWTs', {
  skip: notRoot,
}, async (t) => {
  const { domain, below, serverOptions } = await startStandardDomain(t, {
    adminSocket: true,
    server: 'default_jwt_svid_ttl = "10m"',
    agent: 'x509_svid_cache_max_size = 8\n jwt_svid_cache_max_size = 8',
  });
  const agent = domain.firstAgent;
  const entriesFor = async (uid: number, prefix: string) => {
    const paths = Array.from({ length: 10 }, (_, n) => `${prefix}${n + 1}`);
    await Promise.all(
      paths.map((path) =>
        domain.createEntry(path, [`unix:uid:${uid}`], '-jwtSVIDTTL', '0', ...below),
      ),
    );
    await hasHeardOf(agent, ...paths.map((path) => domain.id(path)));
  };
  const fetches = async (uid: number, prefix: string) => {
    const lines = (await fetchAs(uid, agent, 'jwt', '-audience', 'test')).split('\n');
    const naming = lines.filter((line) => line.includes(domain.id(prefix)));
    assert.equal(new Set(naming).size, 10);
    assert.equal(naming.length, 10, lines.join('\n'));
  };
  await entriesFor(1001, '/workload-');
  await fetches(1001, '/workload-');
  await cachesX509Svids(agent, 8);
  await entriesFor(1002, '/workload/');
  await fetches(1002, '/workload/');
  await fetches(1001, '/workload-');
  await cachesX509Svids(agent, 8);
  assert.equal((await agentInfo(agent)).cachedJwtSvidsCount, 8);

  await domain.configure({
    ...serverOptions,
    server: `${serverOptions.server}\n disable_jwt_svids = true`,
  });
  await domain.restartServer();
  const id = ['-authorityID', 'test'];
  const commands = [
    ['localauthority', 'jwt', 'prepare'],
    ['localauthority', 'jwt', 'show'],
    ['localauthority', 'jwt', 'activate', ...id],
    ['localauthority', 'jwt', 'revoke', ...id],
    ['localauthority', 'jwt', 'taint', ...id],
    ['jwt', 'mint', '-spiffeID', domain.id('/workload/10'), '-audience', 'test'],
  ];
  for (const words of commands) {
    const { code, stdout, stderr } = await domain.tryServer(...words);
    assert.notEqual(code, 0, words.join(' '));
    assert.match(stdout + stderr, /JWT functionality is disabled/, words.join(' '));
  }
  // Two of the ten tokens are not in the cache. The agent may not yet have found the server again.
  for (let attempt = 1; ; attempt++) {
    const { code, stdout, stderr } = await apiAs(1001, agent, 'fetch', 'jwt', '-audience', 'test');
    assert.notEqual(code, 0, stdout);
    if (/JWT functionality is disabled/.test(stderr)) break;
    assert.match(stderr, /code = Unavailable|transport/);
    assert.ok(attempt < ATTEMPTS, stderr);
  }
});
