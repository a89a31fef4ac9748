import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { Watch } from '../../src/wire/gen/steeple/server/watch/v1/watch_pb.ts';
import { eventually } from '../kit/programs.ts';
import { attestWithToken, dialNetwork } from '../kit/server-callers.ts';
import { startServerOnly } from '../kit/trust-domain.ts';
import { createEntry, createToken, entryIds } from './plain-calls.ts';

/** The server's grace for running calls, and what a slow machine takes beside it. */
const MAX_STOP_MILLISECONDS = 13_000;

/** A stream of requests that never comes to its first. */
async function* silent(): AsyncGenerator<never> {
  yield await new Promise<never>(() => {});
}

/** How a stream of answers ends. */
async function endOf(answers: AsyncIterable<unknown>): Promise<unknown> {
  try {
    for await (const _answer of answers);
    return 'ended';
  } catch (error) {
    return error;
  }
}

/** A server with an agent, and both their ways to it. */
async function start(t: TestContext) {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  await createToken(domain, 'agent');
  const known = dialNetwork(domain, await attestWithToken(domain, 'agent'));
  const stranger = dialNetwork(domain);
  t.after(() => {
    known[Symbol.dispose]();
    stranger[Symbol.dispose]();
  });
  return { domain, known, stranger };
}

test('a server that stops does not wait for agents that only watch', async (t) => {
  const { domain, known } = await start(t);
  const end = endOf(known.client(Watch).watchChanges({}));
  await known.client(Entry).getAuthorizedEntries({}); // the stream before it is there
  const started = performance.now();
  assert.deepEqual(await domain.server.stop(), { code: 0, signal: null });
  const took = performance.now() - started;
  assert.ok(took < 5000, `it took ${took.toFixed(0)} ms`);
  assert.equal(await end, 'ended');
  await domain.server.says(/Graceful stop successful/);
});

test('a server that stops ends streams that do not end, and keeps what it acknowledged', async (t) => {
  const { domain, known, stranger } = await start(t);
  const ends = [
    endOf(known.client(Entry).syncAuthorizedEntries(silent())),
    endOf(stranger.client(Agent).attestAgent(silent())),
  ];
  await known.client(Entry).getAuthorizedEntries({}); // the stream before it is there
  await stranger.client(Bundle).getBundle({});
  const kept: string[] = [];
  let stopped = false;
  const writing = (async () => {
    for (let turn = 0; !stopped; turn++) {
      const id = `entry-${turn}`;
      const answer = await createEntry(domain, id).catch(() => 'gone');
      if (answer === 'OK') kept.push(id);
      else stopped = true;
    }
  })();
  await eventually(() => kept.length > 3, 'entries');
  const started = performance.now();
  assert.deepEqual(await domain.server.stop(), { code: 0, signal: null });
  const took = performance.now() - started;
  assert.ok(took < MAX_STOP_MILLISECONDS, `it took ${took.toFixed(0)} ms`);
  stopped = true;
  await writing;
  for (const end of await Promise.all(ends)) {
    assert.ok(end instanceof Fault, String(end));
    assert.equal(end.kind, 'unavailable', end.message);
  }
  await domain.startServer();
  const stored = await entryIds(domain);
  assert.deepEqual(
    kept.filter((id) => !stored.includes(id)),
    [],
  );
});
