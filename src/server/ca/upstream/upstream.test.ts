import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY, HOUR, slotsText } from '../../../../test/kit/authorities.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { FakeUpstream, rootOf } from '../../../../test/kit/upstream.ts';
import { skiOf, UpstreamWorld } from '../../../../test/kit/upstream-world.ts';
import { unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { parseCsr } from '../../../crypto/csr.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { nameText } from '../../../crypto/x509/name.ts';
import { upstreamAuthoritySuite } from '../../../plugins/upstream-authority/contract.suite.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';

upstreamAuthoritySuite('fake', async () => {
  const clock = new VirtualClock();
  const upstream = await FakeUpstream.create(clock);
  await upstream.descend('below');
  const { authority, trustDomain } = upstream;
  const now = () => unixSeconds(clock);
  return { authority, trustDomain, now, [Symbol.asyncDispose]: async () => {} };
});

const key = async (keyId: string, expiresAt = 0): Promise<KeyAuthority> => ({
  publicKey: (await generateKey('ec-p256')).publicKey.spki,
  keyId,
  expiresAt,
  tainted: false,
});

test('the CA is asked for as SPIRE asks, and everything it signs comes with the chain to the root', async (t) => {
  const world = await UpstreamWorld.create(t);
  const root = world.upstream.signer;
  const below = await world.upstream.descend('below');
  const { issuer, manager } = await world.start();
  const [request] = world.upstream.requests;
  const csr = parseCsr(request?.csr ?? new Uint8Array());
  assert.match(nameText(csr.subject), /^SERIALNUMBER=[0-9]+,O=SPIFFE,C=US$/);
  assert.deepEqual(csr.uris, ['spiffe://example.org']);
  assert.equal(request?.ttlSeconds, DAY);

  const { active } = manager.x509;
  assert.ok(active);
  assert.equal(active.upstreamAuthorityId, skiOf(below));
  assert.equal(active.upstreamChain.length, 2);
  assert.equal(world.roots, 'CN=root');
  await world.verifiedBy(root);
  const { publicKey } = await generateKey('ec-p256');
  assert.equal((await issuer.downstreamX509Ca({ publicKey, ttlSeconds: 0 })).chain.length, 3);
  const { fields } = world.line('X509 CA prepared');
  assert.deepEqual([fields['self_signed'], fields['upstream_authority_id']], [false, skiOf(below)]);
  assert.equal(world.line('X509 CA activated').fields['upstream_authority_id'], skiOf(below));
});

test('a configured serial number is the one of the request', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start({ caSubject: { C: ['DE'], SERIALNUMBER: ['7'] } });
  const csr = parseCsr(world.upstream.requests[0]?.csr ?? new Uint8Array());
  assert.equal(nameText(csr.subject), 'SERIALNUMBER=7,C=DE');
});

test('the CA lasts no longer than what stands above it, and is renewed in time', async (t) => {
  const world = await UpstreamWorld.create(t);
  const now = unixSeconds(world.ca.clock);
  await world.upstream.descend('short', { notBefore: now - 10, notAfter: now + HOUR });
  const { manager } = await world.start({ caTtlSeconds: 2 * HOUR });
  assert.equal(manager.x509.active?.notAfter, now + HOUR);
  await world.upstream.replaceRoot('other');
  await world.until(() => world.upstream.minted === 2, 60);
  assert.ok(unixSeconds(world.ca.clock) < now + HOUR);
});

test('a JWT key is known upstream before anything is signed with it', async (t) => {
  const world = await UpstreamWorld.create(t);
  const others = await key('other');
  world.upstream.bundle = { ...world.upstream.bundle, jwtKeys: [others] };
  const authorities = await world.start();
  const own = authorities.manager.jwt?.active?.authorityId;
  assert.ok(own);
  assert.deepEqual(
    world.upstream.bundle.jwtKeys.map(({ keyId }) => keyId),
    ['other', own],
  );
  assert.deepEqual(world.keyIds, ['other', own]);
  const published = await authorities.publishJwtAuthority(await key('downstream'));
  assert.deepEqual(
    published.map(({ keyId }) => keyId),
    ['other', own, 'downstream'],
  );
  assert.deepEqual(world.keyIds, ['other', own, 'downstream']);
});

const unpublished: [why: string, failure: unknown, message: RegExp][] = [
  ['refuses', new Fault('internal', 'no'), /upstreamauthority\(fake\): no$/],
  ['breaks', new Error('oops'), /code = Unknown desc = upstreamauthority\(fake\): oops$/],
];
for (const [why, failure, message] of unpublished) {
  test(`a JWT key is not used where the authority ${why}`, async (t) => {
    const world = await UpstreamWorld.create(t);
    world.upstream.failures.set('publishJwtKey', failure);
    await assert.rejects(world.start(), { message });
    assert.deepEqual(
      world.said.filter((text) => text.startsWith('Unable')),
      ['Unable to rotate JWT key'],
    );
  });
}

const strange: [
  why: string,
  bend: (keys: readonly KeyAuthority[]) => readonly KeyAuthority[],
  message: RegExp,
][] = [
  ['leaves it out', () => [], /plugin response is without the JWT key that was published$/],
  [
    'gives another one of its ID',
    (keys) => keys.map((one) => ({ ...one, publicKey: OTHER_KEY.publicKey })),
    /plugin response is without the JWT key that was published$/,
  ],
  [
    'adds another one of its ID',
    (keys) => [...keys, ...keys.map((one) => ({ ...one, publicKey: OTHER_KEY.publicKey }))],
    /plugin response is without the JWT key that was published$/,
  ],
  [
    'gives one without ID',
    (keys) => [...keys, { ...OTHER_KEY, keyId: '' }],
    /invalid plugin response: missing key ID/,
  ],
  [
    'gives what is no key',
    (keys) => [...keys, { ...OTHER_KEY, publicKey: Buffer.from('x') }],
    /invalid plugin response: ./,
  ],
  [
    'gives more than there are',
    ([first]) => Array<KeyAuthority>(10_001).fill(first ?? OTHER_KEY),
    /10001 JWT keys; no more than 10000 are taken/,
  ],
];
const OTHER_KEY = await key('other');
for (const [why, bend, message] of strange) {
  test(`a JWT key is not used where the answer ${why}`, async (t) => {
    const world = await UpstreamWorld.create(t);
    world.upstream.bendKeys = bend;
    await assert.rejects(world.start(), { message });
    assert.deepEqual(world.keyIds, []);
  });
}

test('an authority that does not answer a publication in five seconds has failed', async (t) => {
  const world = await UpstreamWorld.create(t);
  const authorities = await world.start();
  world.upstream.hang = new Promise(() => {});
  const published = authorities.publishJwtAuthority(await key('late'));
  const refused = assert.rejects(published, {
    kind: 'deadline',
    message: 'upstreamauthority(fake): context deadline exceeded',
  });
  await world.ca.clock.advance({ seconds: 6 });
  await refused;
});

test('where JWT keys are not its business, they are known here alone, which is told once', async (t) => {
  const world = await UpstreamWorld.create(t);
  world.upstream.failures.set('publishJwtKey', new Fault('unimplemented', 'unsupported'));
  const authorities = await world.start();
  await authorities.publishJwtAuthority(await key('downstream'));
  assert.equal(world.keyIds.length, 2);
  const warnings = world.said.filter((text) =>
    text.startsWith('UpstreamAuthority plugin does not'),
  );
  assert.deepEqual(warnings, [
    'UpstreamAuthority plugin does not support JWT-SVIDs. Workloads managed by this server may have trouble communicating with workloads outside this cluster when using JWT-SVIDs.',
  ]);
});

test('the bundle follows what is known upstream, from five seconds after the start on', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.ca.clock.advance({ seconds: 4 });
  assert.equal(world.upstream.streams.length, 0);
  await world.until(() => world.upstream.streams.length === 1);
  const root = await FakeUpstream.root(world.ca.clock, 'other');
  const { x509Authorities, jwtKeys } = world.upstream.bundle;
  world.upstream.tell({
    x509Authorities: [...x509Authorities, rootOf(root)],
    jwtKeys: [...jwtKeys, await key('theirs')],
  });
  await world.until(() => world.roots === 'CN=root CN=other' && world.keyIds.includes('theirs'));
});

test('an update that is malformed, or cannot be stored, is passed over, and told', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  await world.until(() => world.upstream.streams.length === 1);
  const good = world.upstream.bundle;
  world.upstream.tell({ x509Authorities: [] });
  await world.until(() => world.said.some((text) => text.startsWith('Failed to parse')));
  assert.equal(
    world.line(
      'Failed to parse an X.509 root update from the upstream authority plugin. Please report this bug.',
    ).fields['error'],
    'plugin response missing upstream X.509 roots',
  );
  world.ca.bundles.beforeModify = () => {
    throw new Fault('internal', 'the disk is full');
  };
  const theirs = await key('theirs');
  world.upstream.tell({ ...good, jwtKeys: [theirs] });
  const failed = 'Failed to store X.509 CAs received by the upstream authority plugin.';
  await world.until(() => world.said.includes(failed));
  assert.equal(world.line(failed).fields['error'], 'the disk is full');
  world.ca.bundles.beforeModify = () => undefined;
  world.upstream.tell({ jwtKeys: [theirs, await key('more')] });
  await world.until(() => world.keyIds.includes('more'));
});

test('a subscription that fails or breaks is told, and asked for again', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  world.upstream.failures.set('subscribeToLocalBundle', new Fault('unavailable', 'away'));
  const failed = 'Failed to subscribe to the bundle of the upstream authority; will retry';
  await world.until(() => world.said.filter((text) => text === failed).length === 3);
  world.upstream.failures.clear();
  await world.until(() => world.upstream.streams.length === 1);
  world.upstream.streams[0]?.fail();
  const broke =
    'The upstream authority plugin stopped streaming authorities updates prematurely. Please report this bug. Will retry later.';
  await world.until(() => world.said.includes(broke));
  await world.until(() => world.upstream.streams.length === 2);
  world.upstream.streams[1]?.end();
  await world.ca.clock.advance({ seconds: 600 });
  assert.equal(world.upstream.streams.length, 2);
});

test('an authority that knows no bundle is not asked again', async (t) => {
  const world = await UpstreamWorld.create(t);
  world.upstream.failures.set('subscribeToLocalBundle', new Fault('unimplemented', 'unsupported'));
  await world.start();
  await world.ca.clock.advance({ seconds: 60 });
  world.upstream.failures.clear();
  await world.ca.clock.advance({ seconds: 600 });
  assert.equal(world.upstream.streams.length, 0);
  assert.ok(!world.said.some((text) => text.includes('subscribe')));
});

test('what follows a CA is stored too, until the next CA', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  const [first] = world.upstream.rootStreams;
  const other = await FakeUpstream.root(world.ca.clock, 'other');
  first?.push([...world.upstream.bundle.x509Authorities, rootOf(other)]);
  await world.until(() => world.roots === 'CN=root CN=other');
  await world.authorities.manager.x509.inTurn((steps) => steps.prepareNext());
  assert.ok(first?.signal.aborted);
  const second = world.upstream.rootStreams[1];
  second?.fail();
  await world.until(() =>
    world.said.includes(
      'The upstream authority plugin stopped streaming X.509 root updates prematurely. Please report this bug. Will retry later.',
    ),
  );
  assert.equal(world.upstream.minted, 2);
});

test('a server goes on with the CA of its journal while the authority is away', async (t) => {
  const world = await UpstreamWorld.create(t);
  await world.start();
  const { authorityId } = world.authorities.manager.x509.active ?? {};
  await world.end();
  world.upstream.failures.set('mintX509Ca', new Fault('unavailable', 'away'));
  world.upstream.failures.set('subscribeToLocalBundle', new Fault('unavailable', 'away'));
  await world.ca.clock.advance({ seconds: 13 * HOUR });
  const { manager } = await world.start();
  assert.equal(manager.x509.active?.authorityId, authorityId);
  assert.equal(manager.x509.active?.upstreamChain.length, 1);
  await world.verifiedBy(world.upstream.signer);
  assert.equal(
    world.line('Unable to rotate X509 CA').fields['error'],
    'rpc error: code = Unavailable desc = upstreamauthority(fake): away',
  );
  world.upstream.failures.clear();
  await world.until(() => slotsText(world.authorities) === 'A:active B:prepared');
});

test('a server without a CA does not start while the authority is away', async (t) => {
  const world = await UpstreamWorld.create(t);
  world.upstream.failures.set('mintX509Ca', new Fault('unavailable', 'away'));
  await assert.rejects(world.start(), {
    kind: 'unavailable',
    message: 'rpc error: code = Unavailable desc = upstreamauthority(fake): away',
  });
});

test('a start that waits for the authority can be given up', async (t) => {
  const world = await UpstreamWorld.create(t);
  world.upstream.hang = new Promise(() => {});
  const started = world.start();
  const reason = new Error('enough');
  setImmediate(() => world.stop.abort(reason));
  await assert.rejects(started, reason);
});

test('a CA of before there was an upstream authority goes on until its time has come', async (t) => {
  const world = await UpstreamWorld.create(t);
  const alone = await world.ca.start();
  const { authorityId } = alone.manager.x509.active ?? {};
  await alone[Symbol.asyncDispose]();
  const { manager } = await world.start();
  assert.equal(manager.x509.active?.authorityId, authorityId);
  await world.ca.clock.advance({ seconds: 30 });
  assert.equal(world.upstream.minted, 0);
  await world.ca.clock.advance({ seconds: 13 * HOUR });
  await world.until(() => world.upstream.minted === 1);
});
