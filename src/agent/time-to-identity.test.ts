import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { AgentWorld, fakeEntry, until } from '../../test/kit/agent-world.ts';
import { Fault } from '../base/fault.ts';

const uid1 = new Set(['unix:uid:1']);
const { signal } = new AbortController();

/** Far less than the time until the next poll. */
const SHORT_MILLISECONDS = 1000;

/** Lets a little time go by while sockets do their part, until the condition holds. */
async function shortly({ clock }: AgentWorld, condition: () => boolean, what: string) {
  for (let passed = 0; passed < SHORT_MILLISECONDS && !condition(); passed++) {
    await clock.advance({ milliseconds: 1 });
    await pause(1);
  }
  assert.ok(condition(), `waited in vain for ${what}`);
}

/** An agent that has just been told for the first time. */
async function watchingAgent(world: AgentWorld) {
  world.server.canWatch = true;
  const agent = await world.start();
  const loops = world.run(agent, 4);
  const { server } = world;
  await shortly(world, () => server.countOf('SyncAuthorizedEntries') > 1, 'the second round');
  return { agent, loops };
}

test('an agent that is told of an entry has its SVID before it would have polled', async () => {
  await using world = await AgentWorld.create();
  const { agent, loops } = await watchingAgent(world);
  world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
  world.server.tell();
  const has = () => agent.identities.latest(uid1).identities.length === 1;
  await shortly(world, has, 'the SVID');
  await loops.stop();
});

test('a workload that no entry applies to waits for the server, and has what it has', async () => {
  await using world = await AgentWorld.create();
  const agent = await world.start();
  const loops = world.run(agent);
  await loops.pass(0);
  world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
  const waiting = agent.identities.awaitEntry(uid1, signal);
  await shortly(world, () => agent.identities.matchingEntries(uid1).length === 1, 'the entry');
  await waiting;
  assert.equal(agent.identities.matchingEntries(uid1).length, 1);
  const update = await agent.identities.subscribe(uid1).next(AbortSignal.timeout(5000));
  assert.equal(update.identities.length, 1);
  await loops.stop();
});

test('it is not kept waiting by a server that fails', async () => {
  await using world = await AgentWorld.create();
  const agent = await world.start();
  const loops = world.run(agent);
  world.server.failures.set('*', new Fault('unavailable', 'down'));
  await loops.pass(6);
  await agent.identities.awaitEntry(uid1, signal);
  await loops.stop();
});

test('an agent that cannot reach its server synchronises as soon as it can watch again', async () => {
  await using world = await AgentWorld.create();
  const { agent, loops } = await watchingAgent(world);
  world.server.failures.set('*', new Fault('unavailable', 'down'));
  await world.clock.advance({ seconds: 3600 });
  await until(() => agent.status.lastSync?.failure !== undefined, 'a failure');
  const calls = world.server.countOf('SyncAuthorizedEntries');
  world.server.failures.clear();
  await until(() => world.clock.sleepers >= 4, 'the pauses');
  await world.clock.advance({ seconds: 60 }); // far less than the eight minutes between polls by now
  await world.server.reached('SyncAuthorizedEntries', calls + 1);
  await until(() => agent.status.lastSync?.failure === undefined, 'a success');
  await loops.stop();
});
