import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { agentCaller, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite, damaged } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { verifyChain } from '../../../crypto/x509/verify-chain.ts';
import { Encoded } from '../../../rpc/service.ts';
import { NewDownstreamX509CARequestSchema } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { rfc3339, sha256Hex } from '../audit-values.ts';
import type { Caller } from '../caller.ts';
import { newDownstreamX509Ca } from './new-downstream-x509-ca.ts';

apiSuite('NewDownstreamX509CA', (world) => {
  const downstream = (): Caller => ({
    kind: 'downstream',
    id: world.id('/downstream'),
    entries: [],
  });
  const ask = async (
    csr: Uint8Array,
    { preferredTtl = 0, call = testCall({ caller: downstream() }), deps = world.deps } = {},
  ) => {
    const request = create(NewDownstreamX509CARequestSchema, { csr, preferredTtl });
    const message = await newDownstreamX509Ca(deps, request, call);
    assert.ok(!(message instanceof Encoded));
    return { answer: message, call };
  };

  test('signs a CA of the trust domain, of which only the key comes from the request', async () => {
    const key = await generateKey('ec-p384');
    const csr = await world.csr({ uris: ['spiffe://other.test'], dnsNames: ['evil.test'] }, key);
    const { answer, call } = await ask(csr);
    const [ca, ...others] = (answer.caCertChain ?? []).map(parseCertificate);
    assert.ok(ca);
    assert.deepEqual(others, []);
    assert.deepEqual(ca.uris, ['spiffe://example.org']);
    assert.deepEqual(ca.dnsNames, []);
    assert.equal(ca.basicConstraints?.ca, true);
    assert.deepEqual(Buffer.from(ca.spki), Buffer.from(key.publicKey.spki));
    const roots = world.ownBundle.x509Authorities.map(({ der }) => der);
    assert.deepEqual(answer.x509Authorities, roots);
    const at = world.clock.now() / 1000;
    await verifyChain({ leaf: ca, intermediates: [], roots: roots.map(parseCertificate), at });
    assert.deepEqual(call.costs, [1]);
    assert.deepEqual(call.audited, {
      csr: sha256Hex(csr),
      trust_domain_id: 'spiffe://example.org',
      expires_at: ca.notAfter,
    });
    assert.deepEqual(call.lines, [
      {
        message: 'Signed X509 CA SVID',
        fields: { spiffe_id: 'spiffe://example.org', expiration: rfc3339(ca.notAfter) },
      },
    ]);
  });

  for (const [preferredTtl, life] of [
    [60, 60],
    [0, 24 * 3600],
    [-1, 24 * 3600],
    [2 ** 31 - 1, 24 * 3600],
  ] as const) {
    test(`gives ${life} seconds where ${preferredTtl} are asked for`, async () => {
      const { answer } = await ask(await world.csr(), { preferredTtl });
      const [ca = new Uint8Array()] = answer.caCertChain ?? [];
      assert.equal(parseCertificate(ca).notAfter, world.clock.now() / 1000 + life);
    });
  }

  for (const [who, caller] of [
    ['an agent', agentCaller('spiffe://example.org/spire/agent/a')],
    ['somebody of this machine', { kind: 'local' }],
  ] as const) {
    test(`does not sign for ${who}`, async () => {
      await assert.rejects(ask(await world.csr(), { call: testCall({ caller }) }), {
        kind: 'internal',
        message: 'caller is not a downstream workload',
      });
    });
  }

  test('refuses what is no CSR, and one whose signature does not fit', async () => {
    for (const csr of [new Uint8Array(), Buffer.from('garbage')]) {
      await assert.rejects(ask(csr), { kind: 'invalid', message: /^malformed CSR: ./ });
    }
    await assert.rejects(ask(damaged(await world.csr())), {
      kind: 'invalid',
      message: /^invalid CSR signature: ./,
    });
  });

  test('waits its turn, and says so where that cannot come', async () => {
    const exhausted = new Fault('exhausted', 'rate limit');
    const call = testCall({ caller: downstream(), exhausted });
    await assert.rejects(ask(await world.csr(), { call }), {
      kind: 'exhausted',
      message: 'rejecting request due to downstream CA signing rate limit: rate limit',
    });
  });

  test('tells when there is no CA, or no bundle', async () => {
    const csr = await world.csr();
    const issuer = {
      ...world.deps.issuer,
      downstreamX509Ca: () =>
        Promise.reject(new Fault('internal', 'X509 CA is not available for signing')),
    };
    await assert.rejects(ask(csr, { deps: { ...world.deps, issuer } }), {
      kind: 'internal',
      message: 'failed to sign downstream X.509 CA: X509 CA is not available for signing',
    });
    const bundles = { ...world.deps.bundles, get: () => undefined };
    await assert.rejects(ask(csr, { deps: { ...world.deps, bundles } }), {
      kind: 'not-found',
      message: 'bundle not found',
    });
  });
});
