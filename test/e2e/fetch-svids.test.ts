import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram, spireAgent } from '../kit/programs.ts';
import { notRoot } from '../kit/toolchain.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { Workload, workloadOf } from '../kit/workload.ts';

const UID = process.getuid?.() ?? 0;
const OWN = [`unix:uid:${UID}`];
const OTHER_UID = 4242;
const STRANGER_UID = 65534;

test('X509-SVIDs and keys that belong together, as files and on the stream', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/web', OWN, '-dns', 'web.example.test', '-x509SVIDTTL', '600');
  await domain.createEntry('/api', [...OWN, `unix:gid:${process.getgid?.() ?? 0}`]);
  await domain.createEntry('/never', [...OWN, 'unix:gid:4242']);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'), domain.id('/api'));

  const folder = domain.path('files');
  await mkdir(folder);
  const fetch = [spireAgent, 'api', 'fetch', 'x509', '-socketPath', domain.agentSocket];
  const { code, stdout, stderr } = await runProgram([...fetch, '-write', folder]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Received 2 svids after /);
  assert.deepEqual((await readdir(folder)).toSorted(), [
    'bundle.0.pem',
    'bundle.1.pem',
    'svid.0.key',
    'svid.0.pem',
    'svid.1.key',
    'svid.1.pem',
  ]);
  const names: string[] = [];
  for (const n of [0, 1]) {
    const read = (name: string) => readFile(join(folder, `${name}.${n}.pem`));
    const [svid, bundle] = [await read('svid'), await read('bundle')].map(
      (pem) => new X509Certificate(pem),
    );
    const key = await readFile(join(folder, `svid.${n}.key`));
    assert.ok(svid && bundle);
    assert.ok(svid.verify(bundle.publicKey));
    assert.ok(svid.checkPrivateKey(createPrivateKey(key)));
    assert.equal((await stat(join(folder, `svid.${n}.key`))).mode & 0o777, 0o600);
    names.push(svid.subjectAltName ?? '');
  }
  assert.deepEqual(names.toSorted(), [
    'DNS:web.example.test, URI:spiffe://example.test/web',
    'URI:spiffe://example.test/api',
  ]);
});

test('a JWT-SVID that the agent holds valid for its audience, and for no other', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/web', OWN, '-jwtSVIDTTL', '120');
  await domain.createEntry('/api', OWN);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'), domain.id('/api'));
  const agent = (...words: readonly string[]) =>
    runProgram([spireAgent, 'api', ...words, '-socketPath', domain.agentSocket]);

  const web = ['-audience', 'db,cache', '-spiffeID', domain.id('/web')];
  const fetched = await agent('fetch', 'jwt', ...web, '-output', 'json');
  assert.equal(fetched.code, 0, fetched.stderr);
  const [{ svids }] = JSON.parse(fetched.stdout) as [{ svids: { svid: string }[] }];
  assert.equal(svids.length, 1);
  const token = svids[0]?.svid ?? '';
  const claims = JSON.parse(
    Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>;
  assert.equal(claims['sub'], domain.id('/web'));
  assert.deepEqual(claims['aud'], ['db', 'cache']);
  assert.equal(Number(claims['exp']) - Number(claims['iat']), 120);

  const valid = await agent('validate', 'jwt', '-audience', 'cache', '-svid', token);
  assert.equal(valid.code, 0, valid.stderr);
  assert.match(valid.stdout, /^SVID is valid\.\nSPIFFE ID : spiffe:\/\/example\.test\/web\n/);
  for (const [audience, svid] of [
    ['other', token],
    ['cache', `${token.slice(0, -4)}AAAA`],
    ['cache', 'garbage'],
  ] as const) {
    const refused = await agent('validate', 'jwt', '-audience', audience, '-svid', svid);
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, '');
    assert.match(refused.stderr, /^SVID is not valid: /);
  }
});

test('each user has its own identities, and one that no entry names has none', {
  skip: notRoot,
}, async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/own', OWN);
  await domain.createEntry('/other', [`unix:uid:${OTHER_UID}`]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/own'));
  await workloadOf(t, await domain.socketFor(OTHER_UID)).has(domain.id('/other'));

  using stranger = new Workload(await domain.socketFor(STRANGER_UID));
  const none = { kind: 'denied', message: 'no identity issued' };
  await assert.rejects(stranger.x509(), none);
  await assert.rejects(stranger.jwt(['a']), none);
  await assert.rejects(stranger.jwt(['a'], domain.id('/own')), none);
  using bundles = stranger.watchX509Bundles();
  await assert.rejects(bundles.complete(), none);
});
