import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAgent } from '../../../../test/kit/api-call.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { silentLog } from '../../../ops/log.ts';
import type { Entry } from '../../../spiffe/entry.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { ChangeWatch } from './change-watch.ts';

const trustDomain = TrustDomain.parse('example.org');

/** A registry of nothing but agents, whose entries all change at once. */
function world() {
  const clock = new VirtualClock();
  const listeners: (() => void)[] = [];
  let entries: readonly Entry[] = [];
  let looks = 0;
  const changes = new ChangeWatch({
    trustDomain,
    entries: {
      authorizedFor: () => {
        looks += 1;
        return entries;
      },
      onChange: (listener) => {
        listeners.push(listener);
        return () => {};
      },
    },
    agents: { get: (id) => ({ ...plainAgent, id }) },
    bundles: { onChange: () => () => {} },
    clock,
    random: () => Math.PI / 10,
    log: silentLog,
  });
  return {
    clock,
    changes,
    get looks() {
      return looks;
    },
    change: () => {
      entries = [];
      for (const listener of listeners) listener();
    },
  };
}

const { signal } = new AbortController();

test('a fleet that all has news is told in portions', async () => {
  const { clock, changes } = world();
  let told = 0;
  for (let i = 0; i < 100; i++) {
    const watching = changes.watch(SpiffeId.of(trustDomain, `/spire/agent/${i}`));
    void watching.next(signal).then((isNews) => {
      told += Number(isNews);
    });
  }
  await clock.advance({ milliseconds: 1 });
  assert.equal(told, 32);
  await clock.advance({ milliseconds: 20 });
  assert.equal(told, 64);
  await clock.advance({ milliseconds: 60 });
  assert.equal(told, 100);
});

test('however many changes there are, it looks once for all of them, and then pauses', async () => {
  const fleet = world();
  using _ = fleet.changes.watch(SpiffeId.of(trustDomain, '/spire/agent/a'));
  await fleet.clock.advance({ seconds: 1 });
  assert.equal(fleet.looks, 1);
  for (let i = 0; i < 50; i++) fleet.change();
  await fleet.clock.advance({ milliseconds: 1 });
  assert.equal(fleet.looks, 2);
  for (let i = 0; i < 50; i++) fleet.change();
  await fleet.clock.advance({ milliseconds: 1 });
  assert.equal(fleet.looks, 2);
  await fleet.clock.advance({ seconds: 1 });
  assert.equal(fleet.looks, 3);
});

test('a watch that begins is looked at alone: those of a fleet begin all the time', async () => {
  const fleet = world();
  const open = (name: number) =>
    fleet.changes.watch(SpiffeId.of(trustDomain, `/spire/agent/${name}`));
  for (let i = 0; i < 1000; i++) open(i);
  await fleet.clock.advance({ seconds: 10 });
  assert.equal(fleet.looks, 1000);
  open(1000);
  await fleet.clock.advance({ seconds: 1 });
  assert.equal(fleet.looks, 1001);
  fleet.change();
  await fleet.clock.advance({ seconds: 10 });
  assert.equal(fleet.looks, 2002);
});

test('who has left is held no more', async () => {
  const { clock, changes } = world();
  const watching = changes.watch(SpiffeId.of(trustDomain, '/spire/agent/a'));
  assert.equal(changes.size, 1);
  watching[Symbol.dispose]();
  assert.equal(changes.size, 0);
  await clock.advance({ seconds: 1 });
});

test('a server that stops ends every watch', async () => {
  const { changes } = world();
  const watching = changes.watch(SpiffeId.of(trustDomain, '/spire/agent/a'));
  const next = watching.next(signal);
  changes[Symbol.dispose]();
  assert.equal(await next, false);
});
