import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generateKey } from '../../src/crypto/keys.ts';
import { writePem } from '../../src/crypto/pem.ts';
import { buildCertificate, randomSerialNumber } from '../../src/crypto/x509/build-certificate.ts';
import { parseCertificate, parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { selfSignedCaTemplate } from '../../src/spiffe/profiles.ts';
import { subjectKeyIdText } from '../../src/spiffe/signed-by-any.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { svidOf, verifies } from '../kit/nested.ts';
import { eventually } from '../kit/programs.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** Puts a new CA in place of the one in the files. */
async function replaceCa(domain: TrustDomainProcesses) {
  const key = await generateKey('ec-p384');
  const now = Math.floor(Date.now() / 1000);
  const template = selfSignedCaTemplate(
    TrustDomain.parse('local'),
    { C: ['US'], O: ['SPIFFE'] },
    {
      serialNumber: randomSerialNumber(),
      publicKey: key.publicKey.spki,
      notBefore: now - 10,
      notAfter: now + 30 * 24 * 3600,
    },
  );
  const certificate = parseCertificate(await buildCertificate(template, key));
  await writeFile(domain.path('ca.key'), writePem('PRIVATE KEY', key.toPkcs8()), { mode: 0o600 });
  await writeFile(domain.path('ca.pem'), writePem('CERTIFICATE', certificate.der));
  return { ski: subjectKeyIdText(certificate), root: { der: certificate.der, tainted: false } };
}

/** SPIRE's scenario force-rotation-upstream-authority. */
test('an upstream authority on disk is replaced by hand, and everything moves below the new one', async (t) => {
  const domain = await TrustDomainProcesses.create({});
  t.after(() => domain[Symbol.asyncDispose]());
  const first = await replaceCa(domain);
  await domain.configure({
    server: 'ca_ttl = "24h"\n default_x509_svid_ttl = "8h"',
    serverAttestors: `NodeAttestor "join_token" { plugin_data {} }
      UpstreamAuthority "disk" {
        plugin_data { cert_file_path = "${domain.path('ca.pem')}" key_file_path = "${domain.path('ca.key')}" }
      }`,
  });
  await domain.startServer();
  await domain.startAgent('-joinToken', await domain.prepareAgent());
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  await verifies(await svidOf(workload), [first.root]);
  const rootCount = async () => (await bundleJson(domain)).x509_authorities.length;
  assert.equal(await rootCount(), 1);

  const second = await replaceCa(domain);
  const authority = new LocalAuthorityCli(domain, 'x509');
  const prepared = await authority.prepare();
  await domain.server.says(new RegExp(`X509 CA prepared.*local_authority_id=${prepared}`));
  assert.equal(await rootCount(), 2);
  const shown = await authority.show();
  assert.equal(shown.active?.upstream_authority_subject_key_id, first.ski);
  assert.equal(shown.prepared?.upstream_authority_subject_key_id, second.ski);
  const inUse = await domain.tryServer('upstreamauthority', 'taint', '-subjectKeyID', first.ski);
  assert.notEqual(inUse.code, 0);

  await authority.change('activate', prepared);
  await domain.server.says(
    new RegExp(
      `X509 CA activated.*local_authority_id=${prepared}.*upstream_authority_id=${second.ski}`,
    ),
  );
  await domain.server.says(/Successfully rotated X\.509 CA/);
  await domain.runServer('upstreamauthority', 'taint', '-subjectKeyID', first.ski);
  await domain.server.says(
    new RegExp(`X\\.509 upstream authority tainted successfully.*subject_key_id=${first.ski}`),
  );
  await domain.server.says(
    /Server SVID signed using a tainted authority, forcing rotation of the Server SVID/,
  );
  await domain.agent.says(
    new RegExp(`New tainted X\\.509 authorities found.*subject_key_ids=${first.ski}`),
  );
  await domain.agent.says(
    /Scheduled rotation for SVID entries due to tainted X\.509 authorities.*count=2/,
  );
  await domain.agent.says(/Agent SVID is tainted by a root authority, forcing rotation/);
  await eventually(
    async () =>
      verifies(await svidOf(workload), [second.root]).then(
        () => true,
        () => false,
      ),
    'an SVID below the new root',
  );
  assert.deepEqual(
    (await bundleJson(domain)).x509_authorities.map(({ tainted }) => tainted),
    [true, false],
  );

  await domain.runServer('upstreamauthority', 'revoke', '-subjectKeyID', first.ski);
  await domain.server.says(
    new RegExp(`X\\.509 upstream authority successfully revoked.*subject_key_id=${first.ski}`),
  );
  await eventually(
    async () => parseCertificates((await svidOf(workload)).bundle).length === 1,
    'a bundle without the old root',
  );
  const [left] = parseCertificates((await svidOf(workload)).bundle);
  assert.equal(left && subjectKeyIdText(left), second.ski);
  assert.equal((await authority.show()).active?.upstream_authority_subject_key_id, second.ski);
});

test('files that hold no CA end the start, and leave a running server as it is', async (t) => {
  const domain = await TrustDomainProcesses.create({});
  t.after(() => domain[Symbol.asyncDispose]());
  await domain.configure({
    serverAttestors: `NodeAttestor "join_token" { plugin_data {} }
      UpstreamAuthority "disk" {
        plugin_data { cert_file_path = "${domain.path('ca.pem')}" key_file_path = "${domain.path('ca.key')}" }
      }`,
  });
  const early = domain.runServerProcess();
  assert.equal((await early.exited).code, 1);
  assert.match(
    early.output,
    /failed to configure plugin \\"disk\\": rpc error: code = InvalidArgument desc = unable to load upstream CA key: open \S+\/ca\.key: no such file or directory/,
  );
  await replaceCa(domain);
  await domain.startServer();
  await writeFile(domain.path('ca.pem'), 'garbage');
  await new LocalAuthorityCli(domain, 'x509').prepare();
  await domain.server.says(/Failed to read the upstream CA again; the one read before is used/);
  assert.equal((await bundleJson(domain)).x509_authorities.length, 1);
});
