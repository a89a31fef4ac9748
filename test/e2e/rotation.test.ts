import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { emptyBundle } from '../../src/spiffe/bundle.ts';
import { readBundleDocument } from '../../src/spiffe/bundle-document.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { fetchAs } from '../kit/agent-commands.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, workloadOf } from '../kit/workload.ts';

const UID = process.getuid?.() ?? 0;

/** SPIRE's scenario rotation, with shorter lives, and what is fetched verified. */
test('workloads have an SVID that verifies at every moment while the server’s authorities change', async (t) => {
  // The server looks after its authorities every 10 s: of 47 s the next ones are made at 30 s and used from 40 s on.
  // With less there would be no time left for agents, which look after their own SVIDs every 5 s.
  const domain = await startTrustDomain(t, {
    server:
      'ca_ttl = "47s"\n default_x509_svid_ttl = "6s"\n default_jwt_svid_ttl = "6s"\n agent_ttl = "12s"',
  });
  await domain.createEntry('/workload', [`unix:uid:${UID}`]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const issuers = new Set<string>();
  const keyIds = new Set<string>();
  const deadline = Date.now() + 60_000;
  while (issuers.size < 2 || keyIds.size < 2) {
    assert.ok(Date.now() < deadline, 'the authorities do not change');
    assert.match(await fetchAs(UID, domain.firstAgent, 'x509'), /^Received 1 svid after /);
    const [svid] = (await workload.x509()).svids;
    assert.ok(svid);
    const chain = parseCertificates(svid.x509Svid).map(({ der }) => der);
    const roots = parseCertificates(svid.bundle).map(({ der }) => ({ der, tainted: false }));
    await verifyX509Svid(
      chain,
      (trustDomain) => ({ ...emptyBundle(trustDomain), x509Authorities: roots }),
      Date.now() / 1000,
    );
    issuers.add(Buffer.from(leafOf(svid).authorityKeyId ?? []).toString('hex'));

    const [token] = await workload.jwt(['a']);
    assert.ok(token);
    await workload.validate(token.svid, 'a');
    keyIds.add(Buffer.from(token.svid.split('.')[0] ?? '', 'base64url').toString());
    await pause(250);
  }
  assert.ok(domain.server.running && domain.agent.running);
  const { stdout } = await domain.runServer('bundle', 'show', '-format', 'spiffe');
  const bundle = readBundleDocument(TrustDomain.parse(domain.name), stdout);
  assert.ok(bundle.x509Authorities.length >= 2);
  assert.ok(bundle.jwtAuthorities.length >= 2);
});
