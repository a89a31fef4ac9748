import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AgentWorld, fakeTrustDomain, until } from '../../test/kit/agent-world.ts';
import { FakeServer } from '../../test/kit/fake-server.ts';
import { Switch } from '../../test/kit/switch.ts';
import { writePem } from '../crypto/pem.ts';
import type { AgentCoreOptions } from './core.ts';

const IGNORING = "Trust Bundle and Server don't agree, ignoring for now";
const BEGINNING = "Trust Bundle and Server don't agree, rebootstrapping";
const NOT_ALLOWED =
  'you have requested rebootstrap support but the NodeAttestor plugin or the spire server configuration is not allowing it';

const rebootstrap = (mode: 'never' | 'auto' | 'always') => ({
  rebootstrap: { mode, delayMilliseconds: 600_000 },
});

/** Another server of the trust domain, with keys of its own; what an operator hands out is its bundle. */
async function setUpAnew(world: AgentWorld): Promise<FakeServer> {
  const { clock } = world;
  const server = await FakeServer.start({ clock, trustDomain: fakeTrustDomain });
  server.reattestable = true;
  server.tokens.add('token');
  const pem = writePem('CERTIFICATE', server.ca.certificate.der);
  await writeFile(join(world.directory, 'bundle.pem'), pem);
  return server;
}

const stored = async ({ directory }: AgentWorld) =>
  JSON.parse(await readFile(join(directory, 'data/agent-data.json'), 'utf8')) as {
    svid: unknown;
    bundle: unknown;
    bootstrap_use: number;
  };

/** An agent that runs, and whose server is then another one. */
async function agentOfLostServer(mode: 'never' | 'auto' | 'always') {
  const world = await AgentWorld.create();
  world.server.reattestable = true;
  const address = await Switch.to(world.server.port);
  const agent = await world.start({ ...rebootstrap(mode), serverPort: address.port });
  const other = await setUpAnew(world);
  const loops = world.run(agent);
  await loops.pass(0);
  address.turnTo(other.port);
  return {
    world,
    other,
    loops,
    address,
    async [Symbol.asyncDispose]() {
      await address[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
}

describe('a running agent whose server has lost its keys', () => {
  test('ends, and says what to do, where it may not start anew', async () => {
    await using lost = await agentOfLostServer('never');
    const { world, loops } = lost;
    await loops.pass(6);
    await assert.rejects(loops.run, { message: /^failed to sync with SPIRE Server: / });
    assert.ok(world.messages().includes('Synchronize failed, non-recoverable error'));
    assert.ok(world.messages().some((message) => message.includes('remove agent-data.json')));
    assert.notEqual((await stored(world)).svid, null);
  });

  for (const mode of ['auto', 'always'] as const) {
    test(`serves on in mode ${mode} until the delay is over, then ends to start anew`, async () => {
      await using lost = await agentOfLostServer(mode);
      const { world, loops, other } = lost;
      await loops.pass(11);
      const line = world.lines.find(({ message }) => message === IGNORING);
      assert.ok(line, world.messages().join('\n'));
      assert.equal(line.fields['time_left'], '10m0s');
      assert.notEqual((await stored(world)).svid, null);

      await world.clock.advance({ seconds: 600 });
      await assert.rejects(loops.run, { message: 'shutting down for rebootstrapping' });
      assert.ok(world.messages().includes(BEGINNING));
      const { svid, bundle, bootstrap_use: use } = await stored(world);
      assert.deepEqual([svid, bundle, use], [null, null, 2]);

      await world.start({ ...rebootstrap(mode), serverPort: other.port });
      assert.equal(other.countOf('AttestAgent'), 1);
    });
  }

  test('forgets that it was a stranger when it comes back', async () => {
    await using lost = await agentOfLostServer('auto');
    const { world, loops, address } = lost;
    await loops.pass(6);
    assert.equal(world.messages().filter((message) => message === IGNORING).length, 1);
    address.turnTo(world.server.port);
    await loops.pass(11);
    address.turnTo(lost.other.port);
    await loops.pass(11);
    const lefts = world.lines
      .filter(({ message }) => message === IGNORING)
      .map(({ fields }) => fields['time_left']);
    assert.deepEqual(lefts.slice(0, 2), ['10m0s', '10m0s']);
    await loops.stop();
  });
});

describe('a start', () => {
  /** The options for a world whose agent ran before, and whose server is a stranger now. */
  async function restarted(mode: 'never' | 'auto' | 'always') {
    const world = await AgentWorld.create();
    world.server.reattestable = true;
    (await world.start(rebootstrap(mode)))[Symbol.dispose]();
    const other = await setUpAnew(world);
    const options: Partial<AgentCoreOptions> = { ...rebootstrap(mode), serverPort: other.port };
    return { world, other, options };
  }

  test('ends for a restart when the server stays a stranger', async () => {
    const { world, other, options } = await restarted('auto');
    await using _ = world;
    await using __ = other;
    const start = world.start(options);
    start.catch(() => undefined);
    await until(() => world.messages().includes(IGNORING), 'the first try');
    for (let i = 0; i < 12; i++) {
      await until(() => world.clock.sleepers > 0 || world.messages().includes(BEGINNING), 'a try');
      await world.clock.advance({ seconds: 132 });
    }
    await assert.rejects(start, { message: 'Agent needs to rebootstrap. shutting down' });
    await world.start(options);
    assert.equal(other.countOf('AttestAgent'), 1);
  });

  test('gives up after a minute and says what to do where it may not start anew', async () => {
    const { world, other, options } = await restarted('never');
    await using _ = world;
    await using __ = other;
    const ended = new AbortController();
    const start = world.start(options);
    start.catch(() => {
      ended.abort();
    });
    for (let i = 0; i < 6 && !ended.signal.aborted; i++) {
      await until(() => ended.signal.aborted || world.clock.sleepers > 0, 'a try');
      await world.clock.advance({ seconds: 20 });
    }
    await assert.rejects(start, { message: /certificate signed by unknown authority/ });
    assert.ok(world.messages().some((message) => message.includes('set rebootstrap_mode')));
  });

  test('that attests with a stored bundle of the lost server fetches the bootstrap bundle again', async () => {
    const { world, other, options } = await restarted('auto');
    await using _ = world;
    await using __ = other;
    await world.clock.advance({ seconds: 3600 }); // its SVID has expired
    const start = world.start(options);
    start.catch(() => undefined);
    for (let i = 0; i < 30 && other.countOf('AttestAgent') === 0; i++) {
      await until(() => world.clock.sleepers > 0 || other.countOf('AttestAgent') > 0, 'a try');
      await world.clock.advance({ seconds: 132 });
    }
    await start;
    assert.ok(world.messages().includes(BEGINNING));
    assert.equal(other.countOf('AttestAgent'), 1);
  });
});

describe('an agent that cannot attest again', () => {
  test('is refused in mode always', async () => {
    await using world = await AgentWorld.create();
    await assert.rejects(world.start(rebootstrap('always')), { message: NOT_ALLOWED });
    await assert.rejects(world.start(rebootstrap('always')), { message: NOT_ALLOWED });
    assert.equal(world.server.countOf('AttestAgent'), 1);
  });

  test('is as in mode never in mode auto, which is told', async () => {
    await using world = await AgentWorld.create();
    await world.start(rebootstrap('auto'));
    assert.ok(world.messages().includes(`${NOT_ALLOWED}. Disabling`));
  });
});
