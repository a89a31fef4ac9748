import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { AgentWorld, fakeEntry, fakeTrustDomain } from '../../test/kit/agent-world.ts';
import { TestCa } from '../../test/kit/test-ca.ts';
import { type DenialReason, Fault } from '../base/fault.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import type { AgentDataFile } from './storage/agent-data-file.ts';

const set = (...selectors: string[]) => new Set(selectors);

const storedSvid = async ({ directory }: AgentWorld): Promise<string[] | null> =>
  (
    JSON.parse(await readFile(join(directory, 'data/agent-data.json'), 'utf8')) as {
      svid: string[] | null;
    }
  ).svid;

/** Seconds since the start at which calls of that method arrived. */
function timesOf(world: AgentWorld, method: string): () => readonly number[] {
  const start = world.clock.now();
  const { calls } = world.server;
  const times: number[] = [];
  const push = calls.push.bind(calls);
  calls.push = (...items) => {
    for (const item of items) {
      if (item.method === method) times.push((world.clock.now() - start) / 1000);
    }
    return push(...items);
  };
  return () => times;
}

/** Storage on a disk that is full as long as the test says so. */
async function fullable(world: AgentWorld) {
  const { storage: disk } = await world.options();
  const full = { now: false };
  const storage: AgentDataFile = {
    get data() {
      return disk.data;
    },
    async update(change) {
      if (full.now) throw new Error('no space left on device');
      await disk.update(change);
    },
    mend: () => disk.mend(),
  };
  return { full, storage };
}

describe("the agent's own SVID", () => {
  test('is renewed at half of its lifetime, stored, and used from then on', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    const before = await storedSvid(world);
    const { pass, stop } = world.run(agent);
    await pass(1795);
    assert.equal(world.server.countOf('RenewAgent'), 0);
    const first = world.server.calls.at(-1)?.serialNumber;
    await pass(10);
    assert.equal(world.server.countOf('RenewAgent'), 1);
    assert.notDeepEqual(await storedSvid(world), before);
    await pass(10);
    const last = world.server.calls.at(-1)?.serialNumber;
    assert.ok(last !== undefined && last !== first);
    const keys = await world.keyManager.getKeys();
    assert.deepEqual(
      keys.map(({ id }) => id),
      ['agent-svid-A', 'agent-svid-B'],
    );
    await stop();
    assert.ok(world.messages().includes('Cache manager stopped'));
  });

  test('is replaced by attesting again where that is possible', async () => {
    await using world = await AgentWorld.create();
    world.server.reattestable = true;
    const agent = await world.start();
    world.server.tokens.add('token');
    const { pass, stop } = world.run(agent);
    await pass(1805);
    assert.equal(world.server.countOf('RenewAgent'), 0);
    assert.equal(world.server.countOf('AttestAgent'), 2);
    assert.ok(world.messages().includes('Successfully reattested node'));
    await stop();
  });

  test('is stored later where the disk was full', async () => {
    await using world = await AgentWorld.create();
    const { full, storage } = await fullable(world);
    const agent = await world.start({ storage });
    const before = await storedSvid(world);
    const { pass, stop } = world.run(agent);
    await pass(1795);
    full.now = true;
    await pass(10);
    assert.equal(world.server.countOf('RenewAgent'), 1);
    assert.equal(world.errorOf('Could not store SVID'), 'no space left on device');
    assert.deepEqual(await storedSvid(world), before);
    full.now = false;
    await pass(10);
    assert.notDeepEqual(await storedSvid(world), before);
    assert.equal(world.server.countOf('RenewAgent'), 1);
    await stop();
  });

  test('a failed renewal is tried again with growing pauses, until the SVID ends', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    world.server.failures.set('RenewAgent', new Fault('unavailable', 'not now'));
    const times = timesOf(world, 'RenewAgent');
    const { run, pass } = world.run(agent);
    await pass(1910);
    const [first = 0, ...others] = times();
    for (const [index, expected] of [7.5, 18.75, 35.625, 60.9375, 98.9].entries()) {
      const pause = (others[index] ?? 0) - first;
      assert.ok(Math.abs(pause - expected) <= 2, `${pause} for ${expected}`);
    }
    await pass(1900);
    await assert.rejects(run, {
      message:
        'current SVID has already expired and rotate agent SVID failed: failed to renew agent: rpc error: code = Unavailable desc = not now',
    });
    assert.ok(world.messages().includes('Cache manager crashed'));
  });
});

describe('synchronising', () => {
  test('comes after five seconds, and then at the interval; failures stretch it', async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
    const agent = await world.start({ syncIntervalMilliseconds: 20_000 });
    const times = timesOf(world, 'SyncAuthorizedEntries');
    const { pass, stop } = world.run(agent);
    await pass(50);
    assert.deepEqual(times(), [5, 25, 45]);
    world.server.failures.set('SyncAuthorizedEntries', new Fault('unavailable', 'not now'));
    await pass(150);
    assert.deepEqual(times().slice(3), [65, 95, 140]);
    assert.equal(
      world.errorOf('Synchronize failed'),
      'failed to fetch authorized entries: rpc error: code = Unavailable desc = not now',
    );
    await stop();
  });

  test('stores a bundle later where the disk was full', async () => {
    await using world = await AgentWorld.create();
    const { full, storage } = await fullable(world);
    const agent = await world.start({ storage });
    const { pass, stop } = world.run(agent);
    const other = await TestCa.create(fakeTrustDomain, { notBefore: 0, notAfter: 4_000_000_000 });
    const x509Authorities = [world.server.ca.bundle(), other.bundle()].flatMap(
      (bundle) => bundle.x509Authorities,
    );
    world.server.bundle = { ...world.server.bundle, x509Authorities, sequenceNumber: 2n };
    full.now = true;
    await pass(11);
    assert.equal(world.errorOf('Could not store bundle'), 'no space left on device');
    assert.equal(storage.data.bundle.length, 1);
    full.now = false;
    await pass(11);
    assert.equal(storage.data.bundle.length, 2);
    await stop();
  });

  test('does not wait long while nothing is cached', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start({ syncIntervalMilliseconds: 60_000 });
    const times = timesOf(world, 'SyncAuthorizedEntries');
    const { pass, stop } = world.run(agent);
    await pass(16);
    assert.deepEqual(times(), [5, 10, 15]);
    await stop();
  });

  test('ends the agent when the server is of another trust', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    const reason = 'x509: certificate signed by unknown authority';
    world.server.failures.set('*', new Fault('unavailable', reason));
    const { run, pass } = world.run(agent);
    await pass(6);
    await assert.rejects(run, {
      message: /^failed to sync with SPIRE Server: .* unknown authority$/,
    });
    assert.ok(world.messages().includes('Synchronize failed, non-recoverable error'));
  });

  test('a workload gets its SVID soon after its entry, and a new one at half of its lifetime', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    const { pass, stop } = world.run(agent);
    world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
    world.server.agentTtlSeconds = 10 * 3600;
    await pass(6);
    const svid = () => agent.identities.latest(set('unix:uid:1')).identities[0]?.svid.chain;
    const first = svid();
    assert.ok(first);
    await pass(1790);
    assert.equal(svid(), first);
    await pass(20);
    assert.notEqual(svid(), first);
    await stop();
  });

  test('whoever waits for an SVID that is not cached gets it at once', async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('a', ['unix:uid:1']), fakeEntry('b', ['unix:uid:2'])];
    const agent = await world.start({ x509SvidCacheMaxSize: 1 });
    const { pass, stop } = world.run(agent);
    await pass(0);
    const minted = world.server.countOf('BatchNewX509SVID');
    assert.equal(agent.identities.latest(set('unix:uid:2')).identities.length, 0);
    using subscription = agent.identities.subscribe(set('unix:uid:2'));
    const update = await subscription.next(AbortSignal.timeout(5000));
    assert.equal(update.identities[0]?.entry.id, 'b');
    assert.equal(world.server.countOf('BatchNewX509SVID'), minted + 1);
    await stop();
  });
});

describe('a server that turns the agent away', () => {
  const denied = (denial: DenialReason) => new Fault('denied', 'go away', { denial });

  for (const denial of ['not-attested', 'expired', 'not-active', 'must-reattest'] as const) {
    test(`"${denial}": it attests again and goes on`, async () => {
      await using world = await AgentWorld.create();
      world.server.reattestable = true;
      const agent = await world.start();
      world.server.tokens.add('token');
      world.server.failures.set('SyncAuthorizedEntries', denied(denial));
      const { pass, stop } = world.run(agent);
      await pass(5);
      world.server.failures.clear();
      await pass(1);
      assert.equal(world.server.countOf('AttestAgent'), 2);
      const synchronised = world.server.countOf('SyncAuthorizedEntries');
      await pass(10);
      assert.ok(world.server.countOf('SyncAuthorizedEntries') > synchronised);
      await stop();
    });
  }

  test('it ends where it cannot attest again, without its SVID', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    world.server.failures.set('SyncAuthorizedEntries', denied('not-attested'));
    const { run, pass } = world.run(agent);
    await pass(6);
    await assert.rejects(run, { kind: 'denied', message: /go away$/ });
    assert.equal(await storedSvid(world), null);
    assert.equal(
      world.errorOf('Agent failed re-attestation; removing SVID and shutting down'),
      'attestation method is not re-attestable',
    );
  });

  test('it ends when it is banned, without its SVID, even where it could attest again', async () => {
    await using world = await AgentWorld.create();
    world.server.reattestable = true;
    const agent = await world.start();
    world.server.failures.set('GetBundle', denied('banned'));
    const { run, pass } = world.run(agent);
    await pass(6);
    await assert.rejects(run, { kind: 'denied', denial: 'banned' });
    assert.equal(await storedSvid(world), null);
    assert.ok(world.messages().includes('Agent is banned: removing SVID and shutting down'));
    assert.equal(world.server.countOf('AttestAgent'), 1);
  });

  test('a refusal without such a reason is a failure like others', async () => {
    await using world = await AgentWorld.create();
    const agent = await world.start();
    world.server.failures.set('SyncAuthorizedEntries', new Fault('denied', 'no'));
    const { pass, stop } = world.run(agent);
    await pass(20);
    assert.ok(world.server.countOf('SyncAuthorizedEntries') > 2);
    await stop();
  });
});

describe('a tainted authority', () => {
  test('its SVIDs are minted anew, its tokens forgotten, and the agent renews its own', async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
    const agent = await world.start();
    const { pass, stop } = world.run(agent);
    const workload = set('unix:uid:1');
    const [entry] = agent.identities.matchingEntries(workload);
    assert.ok(entry);
    const signal = AbortSignal.timeout(20_000);
    const token = () => agent.identities.fetchJwtSvid(entry, ['a'], signal);
    const first = await token();
    const chain = () => agent.identities.latest(workload).identities[0]?.svid.chain;
    const before = chain();

    const other = await TestCa.create(fakeTrustDomain, { notBefore: 0, notAfter: 4_000_000_000 });
    const [tainted, added] = [world.server.ca.bundle({ tainted: true }), other.bundle()];
    const bundle: Bundle = {
      ...tainted,
      x509Authorities: [...tainted.x509Authorities, ...added.x509Authorities],
      sequenceNumber: 2n,
    };
    world.server.bundle = bundle;
    await pass(11);
    assert.notEqual(chain(), before);
    assert.equal(world.server.countOf('RenewAgent'), 1);
    assert.equal(agent.identities.latest(workload).bundle.x509Authorities.length, 2);
    assert.notEqual(await token(), first);

    const minted = world.server.countOf('BatchNewX509SVID');
    await pass(30);
    assert.equal(world.server.countOf('BatchNewX509SVID'), minted, 'each authority counts once');
    await stop();
  });
});
