import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slotsText } from '../../../../test/kit/authorities.ts';
import { FakeUpstream, rootOf } from '../../../../test/kit/upstream.ts';
import { skiOf, UpstreamWorld } from '../../../../test/kit/upstream-world.ts';
import { Fault } from '../../../base/fault.ts';

const TAINTED = 'Current root CA is signed by a tainted upstream authority, preparing rotation';

test('the server leaves a root that is tainted upstream, and then tells its agents', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  const other = await world.upstream.replaceRoot('other');
  const seen: string[] = [];
  world.ca.bundles.beforeModify = () => seen.push(slotsText(world.authorities));
  world.upstream.taint(root);
  await world.until(() => world.roots === 'CN=root! CN=other');
  assert.deepEqual(world.said.filter((text) => !text.startsWith('JWT')).slice(-4), [
    TAINTED,
    'X509 CA prepared',
    'X509 CA activated',
    'X.509 authority tainted',
  ]);
  assert.equal(world.line('X.509 authority tainted').fields['subject_key_id'], skiOf(root));
  assert.deepEqual(
    world.upstream.requests.map(({ patient }) => patient),
    [true, false],
    'whoever has a CA waits for nobody',
  );
  assert.equal(seen.at(-1), 'B:active A:old', 'the taint was told before the CA was another one');
  await world.verifiedBy(other);

  world.upstream.revoke(root);
  await world.until(() => world.roots === 'CN=other');
  assert.equal(world.line('X.509 authority revoked').fields['subject_key_id'], skiOf(root));
  assert.equal(world.upstream.minted, 2);
});

test('a taint that another server on the same database has told already is acted on too', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  const other = await world.upstream.replaceRoot('other');
  world.upstream.tell({});
  await world.until(() => world.roots === 'CN=root CN=other');
  await world.authorities.keeper.taintX509(skiOf(root));
  assert.equal(world.roots, 'CN=root! CN=other');
  world.upstream.taint(root);
  await world.until(() => slotsText(world.authorities) === 'B:active A:old');
  await world.verifiedBy(other);
  assert.equal(world.upstream.minted, 2);
});

test('a CA that is prepared below another root is good enough', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  const other = await world.upstream.replaceRoot('other');
  await world.authorities.manager.x509.inTurn((steps) => steps.prepareNext());
  world.upstream.taint(root);
  await world.until(() => world.roots === 'CN=root! CN=other');
  assert.equal(world.upstream.minted, 2);
  await world.verifiedBy(other);
});

test('a CA that is prepared below the tainted root is not, and another root does not concern the server', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  await world.authorities.manager.x509.inTurn((steps) => steps.prepareNext());
  const other = await world.upstream.replaceRoot('other');
  world.upstream.taint(root);
  await world.until(() => world.roots === 'CN=root! CN=other');
  assert.equal(world.upstream.minted, 3);
  await world.verifiedBy(other);

  const third = await FakeUpstream.root(world.ca.clock, 'third');
  const { x509Authorities } = world.upstream.bundle;
  world.upstream.tell({ x509Authorities: [...x509Authorities, rootOf(third)] });
  await world.until(() => world.roots.endsWith('CN=third'));
  world.upstream.taint(third);
  await world.until(() => world.roots.endsWith('CN=third!'));
  assert.equal(world.upstream.minted, 3);
  assert.equal(world.said.filter((text) => text === TAINTED).length, 1);
});

test('a taint is not told while there is no CA below another root; it is tried again, for as long as it takes', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  world.upstream.taint(root); // which goes on signing
  await world.until(() => world.upstream.minted >= 3);
  assert.equal(
    world.line('Failed to rotate away from an upstream root; will retry').fields['error'],
    'the new X509 CA is below such a root too',
  );
  const other = await world.upstream.replaceRoot('other');
  world.upstream.failures.set('mintX509Ca', new Fault('unavailable', 'away'));
  await world.until(() => world.said.includes('Failed to force intermediate bundle rotation'));
  assert.equal(world.roots, 'CN=root');
  world.upstream.failures.clear();
  await world.until(() => world.roots.includes('CN=root!'));
  await world.verifiedBy(other);
});

test('a CA whose root is unknown upstream is replaced, once that has lasted', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const root = world.upstream.signer;
  const before = world.upstream.bundle;
  const other = await world.upstream.replaceRoot('other');
  world.upstream.revoke(root);
  await world.ca.clock.advance({ seconds: 5 });
  world.upstream.tell(before);
  await world.ca.clock.advance({ seconds: 30 });
  assert.equal(world.upstream.minted, 1);

  world.upstream.tell({ x509Authorities: [rootOf(other)] });
  await world.until(() => world.upstream.minted === 2);
  await world.until(() => slotsText(world.authorities) === 'B:active A:old');
  await world.verifiedBy(other);
  assert.equal(world.roots, 'CN=root CN=other', 'what is not tainted stays until it expires');
});
