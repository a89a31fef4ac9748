import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { silentLog } from '../../ops/log.ts';
import type { Rebootstrap } from '../attest/rebootstrap.ts';
import { Synchronizer } from './synchronizer.ts';

const settle = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });

/** A loop of minting in virtual time, whose passes end when they are told to. */
function mintingWorld() {
  const clock = new VirtualClock();
  const passes: PromiseWithResolvers<void>[] = [];
  const synchronizer = new Synchronizer({
    cycle: {
      run: () => Promise.resolve(),
      async mint() {
        const pass = Promise.withResolvers<void>();
        passes.push(pass);
        await pass.promise;
      },
    },
    isEmpty: () => false,
    rebootstrap: { isEnabled: false } as Rebootstrap,
    connectionIsOld: () => {},
    intervalMilliseconds: 5000,
    clock,
    random: () => 0.5,
    log: silentLog,
  });
  const stopped = new AbortController();
  const running = synchronizer.runMinting(stopped.signal);
  return {
    clock,
    passes,
    synchronizer,
    stop: async () => {
      stopped.abort(new Error('stopped'));
      passes.at(-1)?.resolve();
      await running.catch((error: unknown) => {
        assert.equal((error as Error).message, 'stopped');
      });
    },
  };
}

test('who comes during a pause, or during a pass of minting, is minted for at once', async () => {
  const { passes, synchronizer, stop } = mintingWorld();
  await settle();
  synchronizer.wakeMinting();
  await settle();
  assert.equal(passes.length, 1, 'the pause has ended');

  synchronizer.wakeMinting();
  synchronizer.wakeMinting();
  passes[0]?.resolve();
  await settle();
  assert.equal(passes.length, 2, 'there was none');

  passes[1]?.resolve();
  await settle();
  assert.equal(passes.length, 2, 'nobody has come since');
  await stop();
});

test('a server that has failed us is not hurried', async () => {
  const { clock, passes, synchronizer, stop } = mintingWorld();
  await settle();
  synchronizer.wakeMinting();
  await settle();
  synchronizer.wakeMinting();
  passes[0]?.reject(new Error('no'));
  await settle();
  synchronizer.wakeMinting();
  await settle();
  assert.equal(passes.length, 1);
  await clock.advance({ seconds: 1 });
  await settle();
  assert.equal(passes.length, 2, 'but tried again');
  await stop();
});
