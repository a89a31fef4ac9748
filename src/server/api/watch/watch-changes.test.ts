import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agentCaller } from '../../../../test/kit/api-call.ts';
import { type ApiWorld, apiSuite } from '../../../../test/kit/api-world.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { watchChanges } from './watch-changes.ts';

/** An agent's watch, after its first message. */
async function watching(world: ApiWorld, agent: string) {
  const leaving = new AbortController();
  const caller = agentCaller(world.id(`/spire/agent/${agent}`));
  const answers = watchChanges(world.deps, { caller, signal: leaving.signal });
  let told = 0;
  let hasEnded = false;
  const reading = (async () => {
    for await (const _ of answers) told += 1;
    hasEnded = true;
  })();
  await settle(world);
  return {
    get told() {
      return told;
    },
    get hasEnded() {
      return hasEnded;
    },
    async [Symbol.asyncDispose]() {
      leaving.abort(new Error('the agent hangs up'));
      await reading;
    },
  };
}

/** Changes are looked at on the next turns, and again after a pause. */
const settle = (world: ApiWorld) => world.clock.advance({ seconds: 1 });

apiSuite('WatchChanges', (world) => {
  const below = (agent: string) => world.id(`/spire/agent/${agent}`);

  test('the first message comes at once', async () => {
    await world.agent('first');
    await using watch = await watching(world, 'first');
    assert.equal(watch.told, 1);
  });

  describe('tells an agent', () => {
    const changes: readonly [what: string, change: () => Promise<unknown>][] = [
      [
        'of a new entry',
        () => world.entry({ id: 'own', spiffeId: world.id('/own'), parentId: below('told') }),
      ],
      [
        'of an entry further down',
        () => world.entry({ id: 'deep', spiffeId: world.id('/deep'), parentId: world.id('/own') }),
      ],
      [
        'of an entry that changed',
        () => {
          const entry = world.deps.entries.get('own');
          assert.ok(entry);
          return world.deps.entries.update({ ...entry, hint: 'x' }, new Set(['hint']));
        },
      ],
      [
        'of an alias that applies to it',
        async () => {
          await world.entry({
            spiffeId: world.id('/below-alias'),
            parentId: world.id('/alias'),
          });
          await world.entry({
            spiffeId: world.id('/alias'),
            parentId: world.id('/spire/server'),
            selectors: [{ type: 'x509pop', value: 'cn:told' }],
          });
        },
      ],
      ['of an entry that is gone', () => world.deps.entries.delete('deep')],
      [
        'that its own selectors changed',
        () => world.agent('told', { selectors: [{ type: 'x509pop', value: 'cn:other' }] }),
      ],
      [
        'of its own bundle',
        () =>
          world.deps.bundles.modify(
            world.trustDomain,
            (bundle) => bundle && { ...bundle, refreshHintSeconds: bundle.refreshHintSeconds + 1 },
          ),
      ],
    ];
    for (const [what, change] of changes) {
      test(what, async () => {
        if (world.deps.agents.get(below('told')) === undefined) {
          await world.agent('told', { selectors: [{ type: 'x509pop', value: 'cn:told' }] });
        }
        await using watch = await watching(world, 'told');
        await change();
        await settle(world);
        assert.equal(watch.told, 2);
      });
    }

    test('of a bundle that one of its entries federates with', async () => {
      const partner = TrustDomain.parse('partner.test');
      await world.bundle('partner.test');
      await world.agent('federated');
      await world.entry({
        spiffeId: world.id('/federated'),
        parentId: below('federated'),
        federatesWith: [partner],
      });
      await using watch = await watching(world, 'federated');
      await world.deps.bundles.set({ ...emptyBundle(partner), sequenceNumber: 7n });
      await settle(world);
      assert.equal(watch.told, 2);
    });

    test('of many changes at once', async () => {
      await world.agent('batch');
      await using watch = await watching(world, 'batch');
      for (let i = 0; i < 20; i++) {
        await world.entry({ spiffeId: world.id(`/batch/${i}`), parentId: below('batch') });
      }
      await settle(world);
      assert.ok(watch.told >= 2 && watch.told <= 3, `${watch.told} messages for 20 entries`);
    });
  });

  describe('says nothing', () => {
    const others: readonly [what: string, change: () => Promise<unknown>][] = [
      [
        'of the entries of another agent',
        () => world.entry({ spiffeId: world.id('/other'), parentId: below('other') }),
      ],
      [
        'of an alias that does not apply to it',
        () =>
          world.entry({
            spiffeId: world.id('/not-mine'),
            parentId: world.id('/spire/server'),
            selectors: [{ type: 'x509pop', value: 'cn:somebody' }],
          }),
      ],
      ['of the bundle of a trust domain it has nothing to do with', () => world.bundle('far.test')],
      ['of another agent', () => world.agent('newcomer')],
    ];
    for (const [what, change] of others) {
      test(what, async () => {
        await world.agent('quiet');
        await using watch = await watching(world, 'quiet');
        await change();
        await settle(world);
        assert.equal(watch.told, 1);
      });
    }
  });

  describe('tells an agent a last time, and ends, when it', () => {
    test('is banned', async () => {
      await world.agent('banned');
      await using watch = await watching(world, 'banned');
      await world.deps.agents.ban(below('banned'));
      await settle(world);
      assert.deepEqual([watch.told, watch.hasEnded], [2, true]);
    });

    test('is evicted', async () => {
      await world.agent('evicted');
      await using watch = await watching(world, 'evicted');
      await world.deps.agents.delete(below('evicted'));
      await settle(world);
      assert.deepEqual([watch.told, watch.hasEnded], [2, true]);
    });
  });

  test('the oldest watch of an agent ends when it has too many', async () => {
    await world.agent('greedy');
    await using watches = new AsyncDisposableStack();
    const open = async () => watches.use(await watching(world, 'greedy'));
    const first = await open();
    const others = [await open(), await open(), await open(), await open()];
    assert.ok(first.hasEnded);
    assert.ok(others.every(({ hasEnded }) => !hasEnded));
  });

  test('nobody but an agent is let in', async () => {
    const call = { caller: { kind: 'local' as const }, signal: new AbortController().signal };
    await assert.rejects(watchChanges(world.deps, call).next(), { kind: 'internal' });
  });
});
