import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Certificate, parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { emptyBundle } from '../../src/spiffe/bundle.ts';
import { subjectKeyIdText } from '../../src/spiffe/signed-by-any.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { type Workload, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

async function identity(workload: Workload) {
  const [svid] = (await workload.x509()).svids;
  assert.ok(svid);
  const chain = parseCertificates(svid.x509Svid);
  const roots = parseCertificates(svid.bundle);
  const signer = Buffer.from(chain[0]?.authorityKeyId ?? []).toString('hex');
  const verifiesWith = async (trusted: readonly Certificate[]) => {
    const x509Authorities = trusted.map(({ der }) => ({ der, tainted: false }));
    await verifyX509Svid(
      chain.map(({ der }) => der),
      (trustDomain) => ({ ...emptyBundle(trustDomain), x509Authorities }),
      Date.now() / 1000,
    );
  };
  return { signer, roots, verifiesWith };
}

const sees = (workload: Workload, count: number) =>
  eventually(async () => (await identity(workload)).roots.length === count, `${count} roots`);

test('an X.509 authority is replaced by hand: everything moves to the next one at once', async (t) => {
  const domain = await startTrustDomain(t, {
    server: 'ca_ttl = "216h"\n default_x509_svid_ttl = "36h"',
  });
  for (const path of ['/workload', '/another']) await domain.createEntry(path, [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/another'), domain.id('/workload'));
  const authority = new LocalAuthorityCli(domain, 'x509');
  const { active } = await authority.show();
  const old = active?.authority_id ?? assert.fail('nothing signs');
  assert.equal((await bundleJson(domain)).x509_authorities.length, 1);
  const prepared = await authority.prepare();
  await domain.server.says(new RegExp(`X509 CA prepared.*local_authority_id=${prepared}`));
  await sees(workload, 2);
  assert.equal((await identity(workload)).signer, old);

  await authority.change('activate', prepared);
  await domain.server.says(new RegExp(`X509 CA activated.*local_authority_id=${prepared}`));
  await domain.server.says(/Successfully rotated X\.509 CA/);

  await authority.change('taint', old);
  await domain.server.says(
    new RegExp(`X\\.509 authority tainted successfully.*local_authority_id=${old}`),
  );
  await domain.server.says(
    /Server SVID signed using a tainted authority, forcing rotation of the Server SVID/,
  );
  await domain.agent.says(
    new RegExp(`New tainted X\\.509 authorities found.*subject_key_ids=${old}`),
  );
  await domain.agent.says(
    /Scheduled rotation for SVID entries due to tainted X\.509 authorities.*count=3/,
  );
  await domain.agent.says(/Agent SVID is tainted by a root authority, forcing rotation/);
  await domain.agent.says(/Successfully rotated agent SVID/);
  await eventually(async () => (await identity(workload)).signer === prepared, 'a new SVID');
  const { roots, verifiesWith } = await identity(workload);
  await verifiesWith(roots.filter((root) => subjectKeyIdText(root) === prepared));
  assert.deepEqual(
    (await bundleJson(domain)).x509_authorities.map(({ tainted }) => tainted),
    [true, false],
  );

  await authority.change('revoke', old);
  await domain.server.says(
    new RegExp(`X\\.509 authority revoked successfully.*local_authority_id=${old}`),
  );
  await sees(workload, 1);
  assert.equal(subjectKeyIdText((await identity(workload)).roots[0] ?? {}), prepared);
  await domain.restartAgent();
  await workload.has(domain.id('/another'), domain.id('/workload'));
  assert.ok(domain.server.running);
});

test('a restart goes on with what was rotated by hand', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  for (const kind of ['x509', 'jwt'] as const) {
    const authority = new LocalAuthorityCli(domain, kind);
    const prepared = await authority.prepare();
    await domain.restartServer();
    assert.equal((await authority.show()).prepared?.authority_id, prepared);
    // An agent that does not know yet who signs the server's SVID takes the server for another's.
    if (kind === 'x509') await sees(workload, 2);
    await authority.change('activate', prepared);
    const { active, old } = await authority.show();
    assert.equal(active?.authority_id, prepared);
    await domain.restartServer();
    assert.deepEqual(await authority.show(), { active, old });
    await authority.change('taint', old?.authority_id ?? '');
    await domain.restartServer();
    // Whoever revokes sooner shuts out agents that still have an SVID of that authority.
    if (kind === 'x509') await domain.agent.says(/Successfully rotated agent SVID/);
    await authority.change('revoke', old?.authority_id ?? '');
    await domain.restartServer();
    assert.deepEqual(Object.keys(await authority.show()), ['active']);
  }
  await workload.has(domain.id('/workload'));
});
