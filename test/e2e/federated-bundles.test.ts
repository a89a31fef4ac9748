import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startServerOnly, startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('the bundle of another trust domain reaches those whose entry federates with it', async (t) => {
  const [domain, other] = [
    await startTrustDomain(t),
    await startServerOnly(t, { name: 'other.test' }),
  ];
  const otherId = 'spiffe://other.test';
  await domain.createEntry('/plain', [OWN], '-entryID', '1-plain');
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/plain'));
  using svids = workload.watchX509();
  using bundles = workload.watchX509Bundles();
  using jwtBundles = workload.watchJwtBundles();
  const own = await bundles.until(() => true, 'the bundle of the own trust domain');
  assert.deepEqual(Object.keys(own.bundles), ['spiffe://example.test']);

  const file = domain.path('other.json');
  const document = await other.runServer('bundle', 'show', '-format', 'spiffe');
  await writeFile(file, document.stdout);
  const set = ['bundle', 'set', '-id', otherId, '-format', 'spiffe', '-path', file];
  await domain.runServer(...set);
  await domain.createEntry('/federated', [OWN], '-entryID', '2-fed', '-federatesWith', otherId);

  const update = await svids.until(
    ({ svids: { length }, federatedBundles }) => length === 2 && otherId in federatedBundles,
    'the other bundle beside the SVIDs',
  );
  const pem = await other.runServer('bundle', 'show');
  const base64 = Buffer.from(update.federatedBundles[otherId] ?? []).toString('base64');
  assert.equal(pem.stdout.replace(/-----[A-Z ]+-----|\n/g, ''), base64);
  await bundles.until((message) => otherId in message.bundles, 'the other X.509 bundle');
  await jwtBundles.until((message) => otherId in message.bundles, 'the other JWT bundle');

  // A JWT-SVID of the other trust domain is valid here now.
  const minted = await other.runServer(
    'jwt',
    'mint',
    '-spiffeID',
    'spiffe://other.test/caller',
    '-audience',
    'here',
  );
  const { spiffeId } = await workload.validate(minted.stdout.trim(), 'here');
  assert.equal(spiffeId, 'spiffe://other.test/caller');

  // Another bundle in its place reaches the open stream too.
  const third = await startServerOnly(t, { name: 'other.test' });
  const replaced = await third.runServer('bundle', 'show', '-format', 'spiffe');
  await writeFile(file, replaced.stdout);
  await domain.runServer(...set);
  await bundles.until(
    (message) =>
      Buffer.from(message.bundles[otherId] ?? []).toString('base64') !== base64 &&
      otherId in message.bundles,
    'the other bundle’s successor',
  );
  await assert.rejects(workload.validate(minted.stdout.trim(), 'here'), { kind: 'invalid' });

  // An entry that federates with it keeps the bundle from being deleted by mistake.
  const refused = await domain.tryServer('bundle', 'delete', '-id', otherId);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /cannot delete bundle; federated with 1 registration entr/);
  const seen = bundles.messages.length;
  await domain.runServer('bundle', 'delete', '-id', otherId, '-mode', 'dissociate');
  await bundles.until((message) => !(otherId in message.bundles), 'its end', seen);
});
