import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { verifyChain } from '../../src/crypto/x509/verify-chain.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { dialLocal, dialNetwork, identityOf } from '../kit/server-callers.ts';
import { startStandardDomain } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';
import { workloadOf } from '../kit/workload.ts';

const NEW_CA = '/spire.api.server.svid.v1.SVID/NewDownstreamX509CA';

/** SPIRE's scenario downstream-endpoints. */
test('a downstream server gets its CA and publishes its JWT key; nobody else does', {
  skip: notRoot,
}, async (t) => {
  const { domain, below } = await startStandardDomain(t);
  await domain.createEntry('/downstream', ['unix:uid:1001'], '-downstream', ...below);
  await domain.createEntry('/workload', ['unix:uid:1002'], ...below);
  const identityAs = async (uid: number, path: string) => {
    const workload = workloadOf(t, await domain.socketFor(uid));
    await workload.has(domain.id(path));
    return identityOf(workload);
  };
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const jwtKey = {
    keyId: 'authority1',
    publicKey: key.publicKey.spki,
    expiresAt: BigInt(Math.floor(Date.now() / 1000) + 60),
  };

  using channel = dialNetwork(domain, await identityAs(1001, '/downstream'));
  const published = await channel.client(Bundle).publishJWTAuthority({ jwtAuthority: jwtKey });
  const { $typeName: _, ...stored } =
    published.jwtAuthorities.find(({ keyId }) => keyId === 'authority1') ?? assert.fail('no key');
  assert.deepEqual(
    { ...stored, publicKey: Buffer.from(stored.publicKey) },
    { ...jwtKey, publicKey: Buffer.from(jwtKey.publicKey), tainted: false },
  );
  const { caCertChain, x509Authorities } = await channel.client(SVID).newDownstreamX509CA({ csr });
  const [leaf, ...intermediates] = caCertChain.map(parseCertificate);
  assert.ok(leaf);
  const roots = x509Authorities.map(parseCertificate);
  await verifyChain({ leaf, intermediates, roots, at: Date.now() / 1000 });
  assert.deepEqual(leaf.uris, [domain.id('')]);

  using plain = dialNetwork(domain, await identityAs(1002, '/workload'));
  using local = dialLocal(domain);
  for (const other of [plain, local]) {
    await assert.rejects(other.client(SVID).newDownstreamX509CA({ csr }), {
      kind: 'denied',
      message: `authorization denied for method ${NEW_CA}`,
    });
    await assert.rejects(other.client(Bundle).publishJWTAuthority({ jwtAuthority: jwtKey }), {
      kind: 'denied',
    });
  }
});
