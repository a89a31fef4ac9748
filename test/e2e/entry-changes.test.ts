import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('what happens to entries reaches the streams that are open', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/first', [OWN], '-entryID', '1-first');
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/first'));
  using svids = workload.watchX509();
  using bundles = workload.watchX509Bundles();
  using jwtBundles = workload.watchJwtBundles();
  await svids.until(() => true, 'the first update');
  await bundles.until(() => true, 'the bundles');
  await jwtBundles.until(() => true, 'the JWT bundles');
  const ids = (update: { svids: { spiffeId: string }[] }) =>
    update.svids.map(({ spiffeId }) => spiffeId).join();
  const [first, second] = [domain.id('/first'), domain.id('/second')];

  // Created.
  await domain.createEntry('/second', [OWN], '-entryID', '2-second', '-dns', 'one.test');
  await svids.until((update) => ids(update) === `${first},${second}`, 'the second entry');

  // Updated: a new certificate for the same ID.
  const update = (...flags: readonly string[]) =>
    domain.runServer(
      'entry',
      'update',
      '-entryID',
      '2-second',
      '-parentID',
      domain.agentId,
      '-spiffeID',
      second,
      ...flags,
    );
  await update('-selector', OWN, '-dns', 'two.test');
  await svids.until(({ svids: [, svid] }) => {
    return svid !== undefined && leafOf(svid).dnsNames.join() === 'two.test';
  }, 'the new DNS name');

  // Updated so that it is for somebody else.
  let seen = svids.messages.length;
  await update('-selector', 'unix:uid:4242', '-dns', 'two.test');
  await svids.until((message) => ids(message) === first, 'an update without it', seen);

  // Deleted, the last one: there is nothing left to tell.
  await domain.runServer('entry', 'delete', '-entryID', '1-first');
  const none = { kind: 'denied', message: 'no identity issued' };
  for (const stream of [svids, bundles, jwtBundles]) {
    await assert.rejects(stream.complete(), none);
  }
  assert.equal(bundles.messages.length, 1);
  assert.equal(jwtBundles.messages.length, 1);
  await assert.rejects(workload.x509(), none);

  // And back.
  seen = svids.messages.length;
  await domain.createEntry('/first', [OWN]);
  await eventually(async () => (await workload.ids()).join() === first, 'the entry that is back');
});
