import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AgentWorld, fakeEntry, until } from '../../test/kit/agent-world.ts';
import { pluginSettings } from '../../test/kit/plugin-settings.ts';
import { Switch } from '../../test/kit/switch.ts';
import { loadPlugin } from '../catalog/load-plugin.ts';
import { silentLog } from '../ops/log.ts';
import { agentKeyManagers } from '../plugins/key-manager/builtins.ts';
import type { AgentCoreOptions } from './core.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** Longer than any of the agent's pauses but those between failures. */
const STEP = 120;
const uid1 = new Set(['unix:uid:1']);
const web = fakeEntry('web', ['unix:uid:1']);
const { signal } = new AbortController();

/** An agent with one workload, whose server can go away and come back; times are in seconds. */
async function runningAgent({
  reattestable = false,
  agentTtl = HOUR,
  svidTtl = HOUR,
  serverClock,
  ...options
}: Partial<AgentCoreOptions> & {
  reattestable?: boolean;
  agentTtl?: number;
  svidTtl?: number;
  serverClock?: { now(): number };
} = {}) {
  const world = await AgentWorld.create(serverClock && { clock: serverClock });
  const { server } = world;
  server.entries = [web];
  server.reattestable = reattestable;
  server.agentTtlSeconds = agentTtl;
  server.svidTtlSeconds = svidTtl;
  const address = await Switch.to(server.port);
  const agent = await world.start({ ...options, serverPort: address.port });
  const loops = world.run(agent);
  await loops.pass(0);
  const serials = () => agent.identities.latest(uid1).identities.map(({ svid }) => svid.notAfter);
  return {
    world,
    server,
    agent,
    loops,
    clock: world.clock,
    serials,
    leave: () => {
      address.turnTo(undefined);
    },
    comeBack: () => {
      server.tokens.add('token');
      address.turnTo(server.port);
    },
    /** Lets time go by in long steps, each of which the loops finish. */
    async pass(seconds: number) {
      for (let passed = 0; passed < seconds; passed += STEP) {
        await loops.pass(0);
        await world.clock.advance({ seconds: STEP });
      }
      await loops.pass(0);
    },
    async [Symbol.asyncDispose]() {
      await loops.stop().catch(() => undefined); // looked at by the test
      await address[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe('while the server is away', () => {
  test('for hours, what is valid is served, and all is well again within minutes of its return', async () => {
    await using here = await runningAgent({ agentTtl: 3 * DAY, svidTtl: 2 * DAY });
    const before = here.serials();
    here.leave();
    await here.pass(2 * HOUR);
    assert.deepEqual(here.serials(), before);
    assert.notEqual(here.agent.status.lastSync?.failure, undefined);

    const late = fakeEntry('late', ['unix:uid:1']);
    here.server.entries = [web, late];
    here.comeBack();
    await here.pass(9 * 60);
    assert.equal(here.agent.status.lastSync?.failure, undefined);
    assert.equal(here.serials().length, 2);
  });

  test('past the end of its own SVID, an agent that can attest again does so when the server is back', async () => {
    await using here = await runningAgent({ reattestable: true, svidTtl: DAY });
    const before = here.serials();
    here.leave();
    await here.pass(1.3 * HOUR);
    assert.deepEqual(here.serials(), before);
    const told = here.world
      .messages()
      .filter((line) => line.startsWith('The agent SVID has expired'));
    assert.equal(told.length, 1);

    here.comeBack();
    await here.pass(9 * 60);
    assert.equal(here.server.countOf('AttestAgent'), 2);
    assert.equal(here.agent.status.lastSync?.failure, undefined);
  });

  test('one that cannot serves as long as there is something to serve, then ends and says what to do', async () => {
    await using here = await runningAgent({ svidTtl: 1.5 * HOUR });
    here.leave();
    await here.pass(1.2 * HOUR);
    assert.equal(here.serials().length, 1);
    await here.pass(0.5 * HOUR);
    await assert.rejects(here.loops.run, {
      message: /^current SVID has already expired and rotate agent SVID failed: /,
    });
    assert.ok(
      here.world.messages().some((line) => line.includes('start the agent with a new join token')),
    );
  });
});

describe('when the clock is set', () => {
  /** A server whose clock is right while the agent's is not. */
  const rightClock = () => {
    const now = Date.UTC(2026, 0, 1);
    return { now: () => now };
  };
  const YEARS = 20 * 365 * DAY;

  for (const [where, seconds] of [
    ['far ahead', YEARS],
    ['far back', -YEARS],
  ] as const) {
    test(`${where}, the agent serves on, and is well again when the clock is right`, async () => {
      await using here = await runningAgent({ reattestable: true, serverClock: rightClock() });
      const before = here.serials();
      here.clock.jump({ seconds });
      await here.pass(120);
      assert.match(
        here.agent.status.lastSync?.failure ?? '',
        /certificate has expired|not yet valid/,
      );
      assert.deepEqual(here.serials(), before);

      here.clock.jump({ seconds: -seconds });
      here.server.tokens.add('token');
      await here.pass(10 * 60);
      assert.equal(here.agent.status.lastSync?.failure, undefined);
      assert.equal(here.serials().length, 1);
    });
  }

  test('ahead by less than the server knows to be an error, SVIDs are renewed, not dropped', async () => {
    await using here = await runningAgent({ agentTtl: 3 * DAY, svidTtl: DAY });
    const before = here.serials();
    here.clock.jump({ seconds: 20 * HOUR });
    await here.pass(60);
    assert.notDeepEqual(here.serials(), before);
    assert.equal(here.serials().length, 1);
  });
});

test('after the machine slept, the connection is made anew and the server asked at once', async () => {
  await using here = await runningAgent({ agentTtl: DAY, svidTtl: DAY });
  const calls = here.server.countOf('SyncAuthorizedEntries');
  here.clock.jump({ seconds: 2 * HOUR });
  await here.loops.pass(6);
  assert.ok(here.server.countOf('SyncAuthorizedEntries') > calls);
  assert.ok(here.world.messages().some((line) => line.startsWith('The machine slept')));
  assert.equal(here.agent.status.lastSync?.failure, undefined);
});

test('a data directory that was removed is there again, and a restart need not attest', async () => {
  const world = await AgentWorld.create();
  const directory = join(world.directory, 'data');
  const openKeys = () =>
    loadPlugin(
      { kind: 'KeyManager', builtIns: agentKeyManagers, log: silentLog, env: () => ({}) },
      { name: 'disk', data: pluginSettings(`directory = ${JSON.stringify(directory)}`) },
    );
  world.keyManager = await openKeys();
  const agent = await world.start();
  const loops = world.run(agent);
  await loops.pass(0);
  await rm(directory, { recursive: true });
  await loops.pass(6);
  await until(() => world.server.countOf('RenewAgent') === 1, 'a new SVID');
  await loops.pass(1);
  await loops.stop();
  agent[Symbol.dispose]();
  assert.ok(world.messages().some((line) => line.startsWith('The data directory was gone')));
  assert.deepEqual((await readdir(directory)).sort(), ['agent-data.json', 'keys.json']);

  world.keyManager = await openKeys();
  const again = await world.start();
  assert.equal(world.server.countOf('AttestAgent'), 1);
  const data = await readFile(join(directory, 'agent-data.json'), 'utf8');
  assert.equal((JSON.parse(data) as { svid: string[] }).svid.length, again.status.svidChain.length);
  await world[Symbol.asyncDispose]();
});

test('a workload that comes while nothing works is told what is so, at once', async () => {
  await using here = await runningAgent();
  here.leave();
  await here.pass(120);
  await here.agent.identities.awaitEntry(new Set(['unix:uid:77']), signal);
  const update = await here.agent.identities.subscribe(uid1).next(AbortSignal.timeout(1000));
  assert.equal(update.identities.length, 1);
});
