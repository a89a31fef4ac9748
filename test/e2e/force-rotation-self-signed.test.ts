import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCertificate, parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { subjectKeyIdText } from '../../src/spiffe/signed-by-any.ts';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { handshake, knowsRoots, startBelow, svidOf, verifies, workloadIn } from '../kit/nested.ts';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';

/** SPIRE's scenario force-rotation-self-signed; what it tells apart by labels of containers are users here. */
test('a root that is tainted is left by the whole tree below it, and gone when it is revoked', async (t) => {
  const root = await startTrustDomain(t, {
    server: 'ca_ttl = "216h"\n default_x509_svid_ttl = "36h"',
  });
  const server = 'ca_ttl = "36h"\n default_x509_svid_ttl = "6h"';
  const a = await startBelow(t, root, '/intermediateA', 1002, { server });
  const b = await startBelow(t, root, '/intermediateB', 1003, { server });
  const leaf = { server: 'ca_ttl = "6h"\n default_x509_svid_ttl = "1h"' };
  const leafA = await startBelow(t, a, '/leafA', 1002, leaf);
  const leafB = await startBelow(t, b, '/leafB', 1002, leaf);
  // The entry that is the agents' alias has an SVID too.
  const levels = [
    { domain: root, path: '/root/workload', svids: 4 },
    { domain: a, path: '/intermediateA/workload', svids: 3 },
    { domain: b, path: '/intermediateB/workload', svids: 3 },
    { domain: leafA, path: '/leafA/workload', svids: 2 },
    { domain: leafB, path: '/leafB/workload', svids: 2 },
  ];
  const workloads = await Promise.all(
    levels.map(({ domain, path }) => workloadIn(t, domain, path)),
  );
  const nested = [a, b, leafA, leafB];
  const inStep = async () => {
    const { x509_authorities: roots } = await bundleJson(root);
    for (const domain of nested) await knowsRoots(domain, roots);
    return roots;
  };
  const everybodyTalks = async () => {
    const svids = await Promise.all(workloads.map(svidOf));
    for (const [index, one] of svids.entries()) {
      await handshake(one, svids[(index + 1) % svids.length] ?? one);
    }
  };

  const authority = new LocalAuthorityCli(root, 'x509');
  const old = (await authority.show()).active?.authority_id ?? assert.fail('nothing signs');
  assert.equal((await inStep()).length, 1);
  await everybodyTalks();
  const prepared = await authority.prepare();
  await root.server.says(new RegExp(`X509 CA prepared.*local_authority_id=${prepared}`));
  assert.equal((await inStep()).length, 2);
  await authority.change('activate', prepared);
  await root.server.says(new RegExp(`X509 CA activated.*local_authority_id=${prepared}`));

  await root.server.says(/Successfully rotated X\.509 CA/);

  await authority.change('taint', old);
  await root.server.says(
    new RegExp(`X\\.509 authority tainted successfully.*local_authority_id=${old}`),
  );
  for (const { server: program } of nested) {
    await program.says(
      /Current root CA is signed by a tainted upstream authority, preparing rotation/,
    );
    await program.says(new RegExp(`X\\.509 authority tainted.*subject_key_id=${old}`));
  }
  for (const { domain, svids } of levels) {
    await domain.server.says(
      /Server SVID signed using a tainted authority, forcing rotation of the Server SVID/,
    );
    await domain.agent.says(
      new RegExp(`New tainted X\\.509 authorities found.*subject_key_ids=${old}`),
    );
    await domain.agent.says(
      new RegExp(
        `Scheduled rotation for SVID entries due to tainted X\\.509 authorities.*count=${svids}`,
      ),
    );
    await domain.agent.says(/Agent SVID is tainted by a root authority, forcing rotation/);
  }
  const roots = await inStep();
  assert.deepEqual(
    roots.map(({ tainted }) => tainted),
    [true, false],
  );
  const good = roots
    .filter(({ tainted }) => !tainted)
    .map(({ asn1 }) => ({ der: Buffer.from(asn1, 'base64'), tainted: false }));
  for (const [index, workload] of workloads.entries()) {
    await eventually(
      async () =>
        verifies(await svidOf(workload), good).then(
          () => true,
          () => false,
        ),
      `${levels[index]?.path} to be below the new root`,
    );
  }
  await everybodyTalks();

  await authority.change('revoke', old);
  await root.server.says(
    new RegExp(`X\\.509 authority revoked successfully.*local_authority_id=${old}`),
  );
  for (const { server: program } of nested) {
    await program.says(new RegExp(`X\\.509 authority revoked.*subject_key_id=${old}`));
  }
  const [left, ...others] = await inStep();
  assert.deepEqual(others, []);
  assert.equal(
    subjectKeyIdText(parseCertificate(Buffer.from(left?.asn1 ?? '', 'base64'))),
    prepared,
  );
  for (const workload of workloads) {
    await eventually(
      async () => parseCertificates((await svidOf(workload)).bundle).length === 1,
      'a bundle without the old root',
    );
  }
  await everybodyTalks();
  for (const { domain } of levels) assert.ok(domain.server.running && domain.agent.running);
});
