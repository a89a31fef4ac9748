import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentWorld, fakeEntry, until } from '../../../test/kit/agent-world.ts';
import { Fault } from '../../base/fault.ts';
import { readPrivateKey } from '../../crypto/keys.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';

const set = (...selectors: string[]) => new Set(selectors);

test('no more than five hundred are asked for at once, and fewer after a failure', async () => {
  await using world = await AgentWorld.create();
  world.server.entries = Array.from({ length: 600 }, (_, index) =>
    fakeEntry(`e${index}`, ['unix:uid:1']),
  );
  world.server.pageSize = 1000;
  const agent = await world.start();
  const count = () => agent.identities.latest(set('unix:uid:1')).identities.length;
  assert.equal(count(), 500);
  world.server.failures.set('BatchNewX509SVID', new Fault('unavailable', 'not now'));
  const { pass, stop } = world.run(agent);
  await pass(0.5);
  assert.equal(world.errorOf('SVID sync failed').slice(0, 32), 'failed to batch new X509 SVID(s)');
  assert.equal(count(), 500);
  world.server.failures.clear();
  await pass(4);
  assert.equal(count(), 600);
  await stop();
});

test('one that the server refuses is told, the others are minted, and it is asked for again', async () => {
  await using world = await AgentWorld.create();
  const [a, b] = [fakeEntry('a', ['unix:uid:1']), fakeEntry('b', ['unix:uid:1'])];
  world.server.entries = [a, b];
  const shown = world.server.entries;
  // Gone between the synchronisation and the request.
  Object.defineProperty(world.server, 'entries', {
    get: () => (world.server.countOf('BatchNewX509SVID') === 1 ? [a] : shown),
  });
  const agent = await world.start();
  const ids = () =>
    agent.identities.latest(set('unix:uid:1')).identities.map(({ entry }) => entry.id);
  assert.deepEqual(ids(), ['a']);
  const warning = world.lines.find(({ message }) => message === 'Failed to mint X509 SVID');
  assert.deepEqual(
    [warning?.fields['entry_id'], warning?.fields['status'], warning?.fields['error']],
    ['b', 'NotFound', 'entry not found or not authorized'],
  );
  const { pass, stop } = world.run(agent);
  await pass(1);
  assert.deepEqual(ids(), ['a', 'b']);
  await stop();
});

for (const keyType of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
  test(`keys are ${keyType}, never used twice, and fit their certificates`, async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('a', ['unix:uid:1']), fakeEntry('b', ['unix:uid:1'])];
    const agent = await world.start({ workloadX509SvidKeyType: keyType });
    const { identities } = agent.identities.latest(set('unix:uid:1'));
    const spkis = identities.map(({ svid }) => {
      const { publicKey } = readPrivateKey(svid.privateKey);
      assert.deepEqual(parseCertificate(svid.chain).spki, publicKey.spki);
      return Buffer.from(publicKey.spki).toString('hex');
    });
    assert.equal(new Set(spkis).size, 2);
  });
}

test('a lifetime that cannot keep the availability target is told', async () => {
  await using world = await AgentWorld.create();
  world.server.entries = [fakeEntry('a', ['unix:uid:1'])];
  await world.start({ availabilityTargetSeconds: 24 * 3600 });
  await until(() => world.lines.length > 0, 'a line');
  assert.ok(
    world
      .messages()
      .includes(
        "X509 SVID lifetime isn't long enough to guarantee the availability_target, falling back to the default rotation strategy",
      ),
  );
});
