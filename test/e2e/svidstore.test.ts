import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readPrivateKeyPem } from '../../src/crypto/keys.ts';
import { readPem } from '../../src/crypto/pem.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import type { SecretPayload } from '../../src/plugins/svid-store/secret-payload.ts';
import { eventually, runProgram, spireServer } from '../kit/programs.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

type Stored = Readonly<Record<string, SecretPayload>>;

/** An agent with a store of SVIDs that is a file. */
async function startStoringDomain(t: Parameters<typeof startServerOnly>[0]) {
  const domain = await startServerOnly(t);
  const path = domain.path('svids.json');
  await domain.firstAgent.configure({
    agentAttestor: `NodeAttestor "join_token" { plugin_data {} }
      SVIDStore "disk" { plugin_data { svids_path = "${path}" } }`,
  });
  await domain.startAgent('-joinToken', await domain.prepareAgent());
  const stored = async () => JSON.parse(await readFile(path, 'utf8')) as Stored;
  return { domain, stored };
}

const names = (stored: Stored): string[] => Object.keys(stored).sort();

async function holds(stored: () => Promise<Stored>, wanted: readonly string[]): Promise<void> {
  await eventually(
    async () => names(await stored()).join() === wanted.toSorted().join(),
    `${wanted.join()} in the store`,
  );
}

/** Each is whole: chain, key and bundle belong together and are those of the entry. */
async function check(
  domain: TrustDomainProcesses,
  stored: Stored,
  ids: Readonly<Record<string, string>>,
): Promise<void> {
  const { stdout: bundle } = await domain.runServer('bundle', 'show');
  for (const [name, id] of Object.entries(ids)) {
    const svid = stored[name];
    assert.equal(svid?.spiffeID, id);
    const [leaf] = readPem(svid?.x509SVID ?? '').map(({ der }) => parseCertificate(der));
    assert.deepEqual(leaf?.uris, [id]);
    const { publicKey } = readPrivateKeyPem(svid?.x509SVIDKey ?? '');
    assert.equal(Buffer.compare(publicKey.spki, leaf?.spki ?? Buffer.of()), 0);
    assert.deepEqual(readPem(svid?.bundle ?? ''), readPem(bundle));
  }
}

/** With the stray word after the flag that SPIRE's suite has, and SPIRE tolerates; it is the last one that counts. */
async function createStored(domain: TrustDomainProcesses, n: number): Promise<string> {
  const words = `entry create -socketPath ${domain.serverSocket} -parentID ${domain.agentId} -spiffeID ${domain.id(`/stored-${n}`)} -selector disk:name:stored-${n} -storeSVID true`;
  const { code, stdout, stderr } = await runProgram([spireServer, ...words.split(' ')]);
  assert.equal(code, 0, stdout + stderr);
  return /^Entry ID\s*: (\S+)$/m.exec(stdout)?.[1] ?? assert.fail(`no entry ID in: ${stdout}`);
}

/** SPIRE's scenario svidstore, with our store `disk` in place of an external plugin. */
test('a store holds the SVIDs of the entries that go there, as they are made, changed and deleted', async (t) => {
  const { domain, stored } = await startStoringDomain(t);
  const entries: { id: string; isStored: boolean }[] = [];
  for (const n of [1, 2, 3]) {
    const id = await createStored(domain, n);
    entries.push({ id, isStored: true });
  }
  for (const n of [1, 2]) {
    const id = await domain.createEntry(`/not-stored-${n}`, [`disk:name:not-stored-${n}`]);
    entries.push({ id, isStored: false });
  }
  await holds(stored, ['stored-1', 'stored-2', 'stored-3']);
  await check(
    domain,
    await stored(),
    Object.fromEntries([1, 2, 3].map((n) => [`stored-${n}`, domain.id(`/stored-${n}`)])),
  );
  for (const { id } of entries.filter(({ isStored }) => isStored)) {
    await domain.agent.says(new RegExp(`msg="SVID stored successfully" entry=${id} `));
  }

  for (const { id, isStored } of entries) {
    await domain.runServer(
      'entry',
      'update',
      '-entryID',
      id,
      '-parentID',
      domain.agentId,
      '-spiffeID',
      domain.id(isStored ? `/updated-${id}` : `/now-stored-${id}`),
      '-selector',
      isStored ? `disk:name:${id}` : `disk:name:stored-${id}`,
      ...(isStored ? [] : ['-storeSVID']),
    );
  }
  const now = entries.filter(({ isStored }) => !isStored);
  await holds(
    stored,
    now.map(({ id }) => `stored-${id}`),
  );
  await check(
    domain,
    await stored(),
    Object.fromEntries(now.map(({ id }) => [`stored-${id}`, domain.id(`/now-stored-${id}`)])),
  );

  for (const { id } of entries) await domain.runServer('entry', 'delete', '-entryID', id);
  await holds(stored, []);
});

test('what goes to a store is given to no workload', async (t) => {
  const { domain, stored } = await startStoringDomain(t);
  const own = `unix:uid:${process.getuid?.() ?? 0}`;
  await domain.createEntry('/secret', [own], '-storeSVID');
  await domain.createEntry('/open', [own]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/open'));
  assert.deepEqual(await workload.ids(), [domain.id('/open')]);
  await domain.agent.says(/Error storing SVID: SVIDStore not found/);
  assert.deepEqual(await stored(), {});
});
