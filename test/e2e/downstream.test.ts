import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { verifyChain } from '../../src/crypto/x509/verify-chain.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { dialLocal, dialNetwork, mintIdentity } from '../kit/server-callers.ts';
import { startServerOnly } from '../kit/trust-domain.ts';

const NEW_CA = '/spire.api.server.svid.v1.SVID/NewDownstreamX509CA';

test('a downstream server gets its CA and publishes its JWT key; nobody else does', async (t) => {
  const domain = await startServerOnly(t);
  await domain.createEntry('/downstream', ['unix:uid:1001'], '-downstream');
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const jwtKey = {
    keyId: 'authority1',
    publicKey: key.publicKey.spki,
    expiresAt: BigInt(Math.floor(Date.now() / 1000) + 60),
  };

  const downstream = await mintIdentity(domain, domain.id('/downstream'));
  using channel = dialNetwork(domain, downstream);
  const published = await channel.client(Bundle).publishJWTAuthority({ jwtAuthority: jwtKey });
  assert.ok(published.jwtAuthorities.some(({ keyId }) => keyId === 'authority1'));
  const { caCertChain, x509Authorities } = await channel.client(SVID).newDownstreamX509CA({ csr });
  const [leaf, ...intermediates] = caCertChain.map(parseCertificate);
  assert.ok(leaf);
  const roots = x509Authorities.map(parseCertificate);
  await verifyChain({ leaf, intermediates, roots, at: Date.now() / 1000 });
  assert.deepEqual(leaf.uris, [domain.id('')]);

  using plain = dialNetwork(domain, await mintIdentity(domain, domain.id('/plain')));
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
