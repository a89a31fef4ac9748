import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { ServerConnection } from './server-connection.ts';

/** A connection to nowhere, and how many were made and given up. */
function connectionWorld() {
  const counts = { made: 0, ended: 0 };
  const connection = new ServerConnection({
    address: 'nowhere.test:1',
    tls: { verify: () => {} },
    dial: () => {
      counts.made++;
      return { client: () => ({}) as never, [Symbol.dispose]: () => counts.ended++ };
    },
  });
  return { connection, counts };
}

const { signal } = new AbortController();

describe('the connection is given up', () => {
  test('after a call that failed', async () => {
    const { connection, counts } = connectionWorld();
    const failing = connection.call(Agent, () => Promise.reject(new Error('no')), { signal });
    await assert.rejects(failing, { message: 'no' });
    assert.deepEqual(counts, { made: 1, ended: 1 });
  });

  test('not after one that its caller gave up', async () => {
    const { connection, counts } = connectionWorld();
    const caller = new AbortController();
    const call = connection.call(
      Agent,
      async () => {
        caller.abort(new Fault('canceled', 'gone'));
        throw caller.signal.reason;
      },
      { signal: caller.signal },
    );
    await assert.rejects(call, { message: 'gone' });
    assert.deepEqual(counts, { made: 1, ended: 0 });
  });
});

test('a caller who gives up while the SVID is being replaced does not wait on', async () => {
  const { connection } = connectionWorld();
  const replaced = Promise.withResolvers<void>();
  const replacing = connection.alone(() => replaced.promise);
  const caller = new AbortController();
  const call = connection.call(Agent, () => assert.fail('it has left'), { signal: caller.signal });
  caller.abort(new Fault('canceled', 'gone'));
  await assert.rejects(call, { message: 'gone' });
  replaced.resolve();
  await replacing;
});

describe('a stream', () => {
  /** Answers that never end. */
  async function* silence(signal: AbortSignal | undefined): AsyncGenerator<string> {
    yield 'first';
    await new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  }

  test('does not keep the SVID from being replaced, and ends when the connection is given up', async () => {
    const { connection, counts } = connectionWorld();
    const answers = connection.stream(Agent, (_, options) => silence(options.signal), signal);
    assert.equal((await answers.next()).value, 'first');
    const end = answers.next();
    await connection.alone(async () => {});
    assert.deepEqual(await end, { done: true, value: undefined });
    assert.deepEqual(counts, { made: 1, ended: 1 });
  });

  test('ends with the reason of its own signal', async () => {
    const { connection } = connectionWorld();
    const leaving = new AbortController();
    const answers = connection.stream(
      Agent,
      (_, options) => silence(options.signal),
      leaving.signal,
    );
    await answers.next();
    const end = answers.next();
    leaving.abort(new Error('leaving'));
    await assert.rejects(end, { message: 'leaving' });
  });

  test('that fails leaves the connection as it is', async () => {
    const { connection, counts } = connectionWorld();
    const answers = connection.stream(
      Agent,
      () => {
        throw new Fault('unimplemented', 'unknown service');
      },
      signal,
    );
    await assert.rejects(answers.next(), { kind: 'unimplemented' });
    assert.deepEqual(counts, { made: 1, ended: 0 });
  });

  test('waits while the SVID is being replaced', async () => {
    const { connection, counts } = connectionWorld();
    const replaced = Promise.withResolvers<void>();
    const replacing = connection.alone(() => replaced.promise);
    const first = connection.stream(Agent, (_, options) => silence(options.signal), signal).next();
    assert.equal(counts.made, 0);
    replaced.resolve();
    await replacing;
    assert.equal((await first).value, 'first');
  });
});
