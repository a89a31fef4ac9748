import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../../test/kit/agent-world.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import { watchChanges } from './watch-changes.ts';

/** A server that plays these streams one after the other, and then keeps silent. */
function world(streams: readonly (() => AsyncIterable<unknown>)[]) {
  const clock = new VirtualClock();
  const stopping = new AbortController();
  const openedAt: number[] = [];
  let told = 0;
  const start = clock.now();
  const connection = {
    async *stream(_service: unknown, _run: unknown, signal: AbortSignal) {
      openedAt.push(clock.now() - start);
      const play = streams[openedAt.length - 1];
      if (play !== undefined) yield* play();
      else await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  };
  const watching = watchChanges(
    {
      connection: connection as never,
      onChange: () => {
        told += 1;
      },
      clock,
      random: () => 0.5,
      log: silentLog,
    },
    stopping.signal,
  );
  return {
    clock,
    openedAt,
    get told() {
      return told;
    },
    opened: (count: number) => until(() => openedAt.length >= count, `stream ${count}`),
    async stop() {
      stopping.abort(new Error('stopping'));
      await watching;
    },
  };
}

async function* news(count: number) {
  for (let i = 0; i < count; i++) yield {};
}

const failing = (fault: Fault): AsyncIterable<unknown> => ({
  [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(fault) }),
});

test('each message is news', async () => {
  const agent = world([() => news(3)]);
  await until(() => agent.told === 3, 'three messages');
  await agent.stop();
});

test('a stream that the server ends after a while is opened again at once', async () => {
  const agent = world([
    async function* () {
      yield {};
      await agent.clock.sleep(60_000);
    },
  ]);
  await agent.opened(1);
  await agent.clock.advance({ seconds: 60 });
  await agent.opened(2);
  assert.deepEqual(agent.openedAt, [0, 60_000]);
  await agent.stop();
});

test('one that fails, or ends at once, is opened again after growing pauses', async () => {
  const gone = new Fault('unavailable', 'gone');
  const agent = world([() => failing(gone), () => news(0), () => failing(gone)]);
  for (const [index, pause] of [1000, 1500, 2250].entries()) {
    await agent.opened(index + 1);
    await agent.clock.advance({ milliseconds: pause });
  }
  await agent.opened(4);
  assert.deepEqual(agent.openedAt, [0, 1000, 2500, 4750]);
  await agent.stop();
});

test('a server without the service is asked again after ten minutes', async () => {
  const agent = world([() => failing(new Fault('unimplemented', 'unknown service'))]);
  await agent.opened(1);
  await agent.clock.advance({ seconds: 599 });
  assert.equal(agent.openedAt.length, 1);
  await agent.clock.advance({ seconds: 1 });
  await agent.opened(2);
  await agent.stop();
});

test('it ends with the signal, whatever it does', async () => {
  const silent = world([]);
  await silent.opened(1);
  await silent.stop();
  const pausing = world([() => failing(new Fault('unavailable', 'gone'))]);
  await until(() => pausing.clock.sleepers === 1, 'the pause');
  await pausing.stop();
  assert.equal(pausing.clock.sleepers, 0);
});
