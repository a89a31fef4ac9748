import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJws } from '../../src/crypto/jose/jws.ts';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { type Workload, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

const keyIdOf = (token: string) => parseJws(token).header['kid'];

/** The key IDs in the bundle that the workload gets. */
async function keyIds(workload: Workload, domain: TrustDomainProcesses): Promise<string[]> {
  using watched = workload.watchJwtBundles();
  const { bundles } = await watched.until(() => true, 'a bundle');
  const text = Buffer.from(bundles[domain.id('')] ?? assert.fail('no bundle')).toString();
  const { keys } = JSON.parse(text) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
}

/** SPIRE's scenario force-rotation-jwt-authority. */
test('a JWT key is replaced by hand, and what it signed is not served any longer', async (t) => {
  const domain = await startTrustDomain(t, {
    server: 'ca_ttl = "24h"\n default_jwt_svid_ttl = "8h"',
    serverKeyManager: 'KeyManager "memory" { plugin_data {} }',
  });
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const token = async () => (await workload.jwt(['aud']))[0]?.svid ?? assert.fail('no token');
  const sees = (count: number) =>
    eventually(async () => (await keyIds(workload, domain)).length === count, `${count} keys`);

  const authority = new LocalAuthorityCli(domain, 'jwt');
  const { active: first } = await authority.show();
  assert.ok(first);
  assert.equal((await bundleJson(domain)).jwt_authorities.length, 1);
  const prepared = await authority.prepare();
  await domain.server.says(new RegExp(`JWT key prepared.*local_authority_id=${prepared}`));
  assert.deepEqual(
    (await bundleJson(domain)).jwt_authorities.map((key) => key.key_id),
    [first.authority_id, prepared],
  );
  const before = await token();
  assert.equal(keyIdOf(before), first.authority_id, 'what is prepared does not sign');
  await sees(2);
  assert.ok((await keyIds(workload, domain)).includes(first.authority_id));

  await authority.change('activate', prepared);
  await domain.server.says(new RegExp(`JWT key activated.*local_authority_id=${prepared}`));
  assert.equal(await token(), before, 'which is good for hours');
  const { old } = await authority.show();
  assert.equal(old?.authority_id, first.authority_id);

  await authority.change('taint', first.authority_id);
  await domain.server.says(
    new RegExp(`JWT authority tainted successfully.*local_authority_id=${first.authority_id}`),
  );
  await domain.agent.says(
    new RegExp(
      `JWT-SVIDs were removed from the JWT cache because they were issued by a tainted authority.*jwt_authority_key_ids=${first.authority_id} .*tainted_jwt_svids=1`,
    ),
  );
  const after = await token();
  assert.equal(keyIdOf(after), prepared);
  await workload.validate(after, 'aud');
  assert.deepEqual(
    (await bundleJson(domain)).jwt_authorities.map((key) => key.tainted),
    [true, false],
  );

  await authority.change('revoke', first.authority_id);
  await domain.server.says(
    new RegExp(`JWT authority revoked successfully.*local_authority_id=${first.authority_id}`),
  );
  await sees(1);
  assert.deepEqual(await keyIds(workload, domain), [prepared]);
  await assert.rejects(workload.validate(before, 'aud'));
  await workload.validate(await token(), 'aud');
});
