import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../base/fault.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import type { X509SvidRequest } from './ca/contract.ts';
import { type ServerHealthDeps, serverHealthChecks } from './health-checks.ts';

const trustDomain = TrustDomain.parse('example.org');
const failing = (message: string) => async () => {
  throw new Fault('internal', message);
};

const deps: ServerHealthDeps = {
  issuer: { workloadX509Svid: failing('X509 CA is not available for signing') },
  manager: { problem: () => 'rotations exceed the threshold number of failures' },
  storedBundles: { get: failing('datastore-sql: closed') },
  trustDomain,
  socketPath: '/nonexistent/api.sock',
};

for (const [name, problemKey, problem] of [
  ['server', 'get_bundle_err', /^unable to fetch bundle: .*\/nonexistent\/api\.sock/],
  ['server.ca', 'sign_x509_svid_err', /^X509 CA is not available for signing$/],
  ['server.ca.rotator', 'rotation_err', /^rotations exceed the threshold number of failures$/],
  ['catalog.datastore', 'list_bundle_err', /^datastore-sql: closed$/],
] as const) {
  test(`${name} says what is wrong in ${problemKey}`, async () => {
    const check = serverHealthChecks(deps).find((one) => one.name === name);
    assert.equal(check?.problemKey, problemKey);
    await assert.rejects(check.test(), { message: problem });
  });
}

test('the CA is asked for an SVID that is good for nothing else', async () => {
  const asked: X509SvidRequest[] = [];
  const issuer: ServerHealthDeps['issuer'] = {
    workloadX509Svid: async (request) => {
      asked.push(request);
      return { chain: [], serialNumber: 1n, notBefore: 0, notAfter: 1 };
    },
  };
  const checks = serverHealthChecks({ ...deps, issuer });
  await checks.find(({ name }) => name === 'server.ca')?.test();
  assert.equal(asked[0]?.id.toString(), 'spiffe://example.org/for/health/check/only');
  assert.equal(asked[0]?.publicKey.kind, 'ec-p256');
});
