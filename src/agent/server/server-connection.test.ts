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
