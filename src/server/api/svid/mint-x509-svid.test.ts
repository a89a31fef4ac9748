import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite, damaged } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { nameDer, nameText } from '../../../crypto/x509/name.ts';
import { MintX509SVIDRequestSchema } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { logSubject, rfc3339, sha256Hex } from '../audit-values.ts';
import { mintX509Svid } from './mint-x509-svid.ts';

apiSuite('MintX509SVID', (world) => {
  const WEB = 'spiffe://example.org/web';
  const mint = async (csr: Uint8Array, { ttl = 0, call = testCall(), deps = world.deps } = {}) => {
    const answer = await mintX509Svid(deps, create(MintX509SVIDRequestSchema, { csr, ttl }), call);
    assert.ok('svid' in answer && answer.svid?.certChain);
    return {
      svid: answer.svid,
      leaf: parseCertificate(answer.svid.certChain[0] ?? new Uint8Array()),
    };
  };

  test('takes ID, names and subject from the CSR', async () => {
    const subject = nameDer([['O', 'Acme']]);
    const dnsNames = ['web.example.org', '*.example.org.test'];
    const csr = await world.csr({ uris: [WEB], dnsNames, subject });
    const call = testCall();
    const { svid, leaf } = await mint(csr, { ttl: 120, call });
    assert.deepEqual(leaf.uris, [WEB]);
    assert.deepEqual(leaf.dnsNames, dnsNames);
    assert.equal(nameText(leaf.subject), 'CN=web.example.org,O=Acme');
    assert.equal(leaf.notAfter, world.clock.now() / 1000 + 120);
    assert.deepEqual(svid.id, { trustDomain: 'example.org', path: '/web' });
    assert.equal(svid.expiresAt, BigInt(leaf.notAfter));
    assert.deepEqual(call.audited, {
      csr: sha256Hex(csr),
      ttl: 120,
      spiffe_id: WEB,
      dns_name: 'web.example.org,*.example.org.test',
      subject: logSubject(subject),
      expires_at: rfc3339(leaf.notAfter),
    });
    assert.deepEqual(call.lines, [
      {
        message: 'Signed X509 SVID',
        fields: {
          spiffe_id: WEB,
          serial_num: String(leaf.serialNumber),
          expiration: rfc3339(leaf.notAfter),
          dns_name: 'web.example.org,*.example.org.test',
          subject: logSubject(subject),
        },
      },
    ]);
  });

  test('has the defaults where the CSR says nothing', async () => {
    const { leaf } = await mint(await world.csr({ uris: [WEB] }));
    assert.equal(nameText(leaf.subject), 'O=SPIRE,C=US');
    assert.equal(leaf.notAfter, world.clock.now() / 1000 + 3600);
  });

  const refusals: [why: string, csr: () => Promise<Uint8Array>, message: string | RegExp][] = [
    ['no CSR', async () => new Uint8Array(), 'missing CSR'],
    ['bytes that are no CSR', async () => Buffer.from('no CSR'), /^malformed CSR: ./],
    [
      'a CSR with bytes after it',
      async () => Buffer.concat([await world.csr({ uris: [WEB] }), Buffer.of(0)]),
      /^malformed CSR: ./,
    ],
    [
      'a CSR with a wrong signature',
      async () => damaged(await world.csr({ uris: [WEB] })),
      /^failed to verify CSR signature: ./,
    ],
    ['a CSR without URI SAN', () => world.csr(), 'CSR URI SAN is required'],
    [
      'a CSR with two URI SANs',
      () => world.csr({ uris: [WEB, `${WEB}2`] }),
      'only one URI SAN is expected',
    ],
    [
      'a URI SAN that is no SPIFFE ID',
      () => world.csr({ uris: ['https://example.org/web'] }),
      'CSR URI SAN is invalid: scheme is missing or invalid',
    ],
    [
      'the ID of another trust domain',
      () => world.csr({ uris: ['spiffe://other.test/web'] }),
      'CSR URI SAN is invalid: "spiffe://other.test/web" is not a member of trust domain "example.org"',
    ],
    [
      'the ID of the trust domain',
      () => world.csr({ uris: ['spiffe://example.org'] }),
      'CSR URI SAN is invalid: "spiffe://example.org" is not a workload in trust domain "example.org"; path is empty',
    ],
    [
      'the ID of an agent',
      () => world.csr({ uris: ['spiffe://example.org/spire/agent/a'] }),
      'CSR URI SAN is invalid: "spiffe://example.org/spire/agent/a" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
    [
      'a malformed DNS name',
      () => world.csr({ uris: [WEB], dnsNames: ['a.*.b'] }),
      'CSR DNS name is invalid: wildcard must be first label',
    ],
    [
      'a wildcard beside a name that it covers',
      () => world.csr({ uris: [WEB], dnsNames: ['*.a.test', 'x.a.test'] }),
      'CSR DNS name contains a wildcard that covers another non-wildcard name: name "x.a.test" overlaps with an existing wildcard name in the list: wildcard overlap',
    ],
  ];
  for (const [why, csr, message] of refusals) {
    test(`refuses ${why}`, async () => {
      const call = testCall();
      const bytes = await csr();
      await assert.rejects(mint(bytes, { call }), { kind: 'invalid', message });
      assert.deepEqual(call.audited, { csr: sha256Hex(bytes), ttl: 0 });
    });
  }

  test('a CA that cannot sign is told of', async () => {
    const issuer = {
      ...world.deps.issuer,
      async workloadX509Svid(): Promise<never> {
        throw new Fault('internal', 'X509 CA is not available for signing');
      },
    };
    const csr = await world.csr({ uris: [WEB] });
    await assert.rejects(mint(csr, { deps: { ...world.deps, issuer } }), {
      kind: 'internal',
      message: 'failed to sign X509-SVID: X509 CA is not available for signing',
    });
  });
});
