import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AgentWorld, fakeEntry, fakeTrustDomain, until } from '../../../test/kit/agent-world.ts';
import { pluginSettings } from '../../../test/kit/plugin-settings.ts';
import { Switch } from '../../../test/kit/switch.ts';
import { Fault } from '../../base/fault.ts';
import { loadPlugin } from '../../catalog/load-plugin.ts';
import { silentLog } from '../../ops/log.ts';
import { agentKeyManagers } from '../../plugins/key-manager/builtins.ts';
import type { AgentCoreOptions } from '../core.ts';
import { openAgentData } from '../storage/agent-data-file.ts';
import { KeptFile } from './kept-file.ts';
import { createSeal } from './seal.ts';

const uid1 = new Set(['unix:uid:1']);
const DAY = 24 * 3600;

describe('a seal', () => {
  const secret = Buffer.from('secret');
  const seal = createSeal(secret, 'spiffe://kept.test/agent');
  const plain = Buffer.from('plain');

  test('opens what it sealed, and never seals alike', async () => {
    const [a, b] = [await seal.seal(plain), await seal.seal(plain)];
    assert.deepEqual(Buffer.from(await seal.open(a)), plain);
    assert.notDeepEqual(a, b);
    assert.ok(!Buffer.from(a).includes(plain));
  });

  test('opens nothing that was changed by a bit, cut off, or added to', async () => {
    const sealed = await seal.seal(plain);
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
        const changed = Uint8Array.from(sealed);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await assert.rejects(seal.open(changed), { kind: 'invalid' });
      }),
      { numRuns: 200 },
    );
    for (const length of [0, 1, 15, 40, sealed.length - 1]) {
      await assert.rejects(seal.open(sealed.subarray(0, length)), { kind: 'invalid' });
    }
    await assert.rejects(seal.open(Buffer.concat([sealed, Buffer.of(0)])), { kind: 'invalid' });
  });

  for (const [why, other] of [
    ['with another key', createSeal(Buffer.from('other'), 'spiffe://kept.test/agent')],
    ['for another agent', createSeal(secret, 'spiffe://kept.test/other')],
  ] as const) {
    test(`opens nothing that was sealed ${why}`, async () => {
      await assert.rejects(seal.open(await other.seal(plain)), { kind: 'invalid' });
    });
  }
});

/** An agent that keeps its workloads' SVIDs, and a server that can be taken away. */
async function keepingWorld() {
  const world = await AgentWorld.create();
  world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
  world.server.agentTtlSeconds = 3 * DAY;
  world.server.svidTtlSeconds = DAY;
  const address = await Switch.to(world.server.port);
  const file = join(world.directory, 'data', 'kept-svids');
  const openKeys = () =>
    loadPlugin(
      { kind: 'KeyManager', builtIns: agentKeyManagers, log: silentLog, env: () => ({}) },
      {
        name: 'disk',
        data: pluginSettings(`directory = ${JSON.stringify(join(world.directory, 'data'))}`),
      },
    );
  const start = async (more: Partial<AgentCoreOptions> = {}) => {
    world.keyManager = await openKeys();
    return world.start({
      keepSvidsOnDisk: true,
      keysAreLost: false,
      serverPort: address.port,
      ...more,
    });
  };
  return {
    world,
    file,
    start,
    /** One run, through its first round, to its orderly end. */
    async runOnce(more: Partial<AgentCoreOptions> = {}) {
      const agent = await start(more);
      const loops = world.run(agent, 6);
      await loops.pass(6);
      await loops.stop();
      agent[Symbol.dispose]();
      return agent.identities.latest(uid1).identities[0]?.svid;
    },
    leave: () => {
      address.turnTo(undefined);
    },
    comeBack: () => {
      address.turnTo(world.server.port);
    },
    /** A start that finds nothing to serve, and is given up. */
    async startsInVain(): Promise<void> {
      const given = new AbortController();
      world.keyManager = await openKeys();
      const starting = world.start(
        { keepSvidsOnDisk: true, keysAreLost: false, serverPort: address.port },
        given.signal,
      );
      starting.catch(() => undefined);
      await until(() => world.messages().includes('Failed to initialize manager'), 'a failure');
      given.abort(new Error('given up'));
      await assert.rejects(starting, { message: 'given up' });
    },
    async [Symbol.asyncDispose]() {
      await address[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe('an agent that is started while its server is away', () => {
  test('serves what the last run kept, and catches up when the server is back', async () => {
    await using here = await keepingWorld();
    const kept = await here.runOnce();
    assert.ok(kept);
    assert.equal((await stat(here.file)).mode & 0o777, 0o600);
    const raw = await readFile(here.file);
    assert.ok(!raw.includes(Buffer.from(kept.privateKey)), 'the key is not to be read');

    here.leave();
    const agent = await here.start();
    const { identities, bundle } = await agent.identities
      .subscribe(uid1)
      .next(AbortSignal.timeout(5000));
    assert.deepEqual(Buffer.from(identities[0]?.svid.chain ?? []), Buffer.from(kept.chain));
    assert.deepEqual(bundle.jwtAuthorities, here.world.server.bundle.jwtAuthorities);
    assert.equal(agent.status.lastSyncSuccess, undefined);

    here.comeBack();
    here.world.server.entries = [fakeEntry('web', ['unix:uid:1']), fakeEntry('db', ['unix:uid:1'])];
    const loops = here.world.run(agent, 6);
    await loops.pass(20);
    const now = agent.identities.latest(uid1).identities;
    assert.deepEqual(
      now.map(({ entry }) => entry.id),
      ['db', 'web'],
    );
    assert.deepEqual(Buffer.from(now[1]?.svid.chain ?? []), Buffer.from(kept.chain));
    await loops.stop();
  });

  test('does not serve what has expired', async () => {
    await using here = await keepingWorld();
    await here.runOnce();
    here.leave();
    await here.world.clock.advance({ seconds: DAY + 1 });
    await here.startsInVain();
    assert.ok(here.world.messages().includes('An SVID that was kept on disk is not served'));
  });

  test('does not serve what was tampered with', async () => {
    await using here = await keepingWorld();
    await here.runOnce();
    const raw = await readFile(here.file);
    raw[raw.length - 1] = (raw.at(-1) ?? 0) ^ 1;
    await writeFile(here.file, raw);
    here.leave();
    await here.startsInVain();
    assert.match(here.world.errorOf('Could not use kept SVIDs'), /changed since$/);
  });

  test('does not serve what an authority signed that was called tainted', async () => {
    await using here = await keepingWorld();
    const agent = await here.start();
    const loops = here.world.run(agent, 6);
    await loops.pass(6);
    const { bundle } = here.world.server;
    here.world.server.bundle = {
      ...bundle,
      sequenceNumber: bundle.sequenceNumber + 1n,
      x509Authorities: bundle.x509Authorities.map((authority) => ({ ...authority, tainted: true })),
    };
    await loops.pass(11);
    await loops.stop();
    here.leave();
    await here.startsInVain();
  });

  test('does not serve an entry that the last run knew to be gone', async () => {
    await using here = await keepingWorld();
    const agent = await here.start();
    const loops = here.world.run(agent, 6);
    await loops.pass(6);
    here.world.server.entries = [];
    await loops.pass(11);
    await loops.stop();
    here.leave();
    await here.startsInVain();
  });
});

describe('what is kept is removed', () => {
  const isThere = (file: string) =>
    stat(file).then(
      () => true,
      () => false,
    );

  test('when the agent is not to keep it any more', async () => {
    await using here = await keepingWorld();
    await here.runOnce();
    assert.ok(await isThere(here.file));
    await here.start({ keepSvidsOnDisk: false });
    assert.ok(!(await isThere(here.file)));
  });

  test('when the agent is banned', async () => {
    await using here = await keepingWorld();
    const agent = await here.start();
    const loops = here.world.run(agent, 6);
    await loops.pass(6);
    assert.ok(await isThere(here.file));
    const banned = new Fault('denied', 'agent is banned', { denial: 'banned' });
    here.world.server.failures.set('*', banned);
    await loops.pass(6);
    await assert.rejects(loops.run);
    assert.ok(!(await isThere(here.file)));
  });
});

test('what is being written when all is to be forgotten does not come back', async () => {
  await using here = await keepingWorld();
  await here.runOnce();
  const { world } = here;
  const kept = new KeptFile({
    dataDirectory: join(world.directory, 'data'),
    keyManager: world.keyManager,
    trustDomain: fakeTrustDomain,
    storage: await openAgentData(join(world.directory, 'data')),
    clock: world.clock,
    log: silentLog,
  });
  const writing = kept.keep({ revision: 1, identities: () => [], bundles: [] });
  await kept.forget();
  await writing;
  await kept.keep({ revision: 2, identities: () => [], bundles: [] });
  await assert.rejects(stat(here.file), { code: 'ENOENT' });
});

test('an agent whose keys are lost with it is refused', async () => {
  await using here = await keepingWorld();
  await assert.rejects(here.start({ keysAreLost: true }), {
    kind: 'invalid',
    message: /keep_svids_on_disk needs a key manager/,
  });
});

test('an agent that keeps nothing writes nothing', async () => {
  await using here = await keepingWorld();
  const agent = await here.start({ keepSvidsOnDisk: false });
  const loops = here.world.run(agent);
  await loops.pass(6);
  await loops.stop();
  await assert.rejects(stat(here.file), { code: 'ENOENT' });
});
