import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentWorld, fakeEntry, until } from '../../../test/kit/agent-world.ts';
import { Fault } from '../../base/fault.ts';
import type { AgentCoreOptions } from '../core.ts';

/** An agent with one entry, and a way to ask for its token. */
async function jwtWorld(more: Partial<AgentCoreOptions> = {}) {
  const world = await AgentWorld.create();
  world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
  const agent = await world.start(more);
  const { identities } = agent;
  const [entry] = identities.matchingEntries(new Set(['unix:uid:1']));
  assert.ok(entry);
  return {
    world,
    agent,
    server: world.server,
    fetched: () => world.server.countOf('NewJWTSVID'),
    fetch: (audience = ['a'], signal: AbortSignal = new AbortController().signal) =>
      identities.fetchJwtSvid(entry, audience, signal),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

test('a token is served from the cache until half of its lifetime', async () => {
  await using jwt = await jwtWorld();
  const first = await jwt.fetch();
  await jwt.world.clock.advance({ seconds: 149 });
  assert.equal(await jwt.fetch(), first);
  await jwt.world.clock.advance({ seconds: 2 });
  assert.notEqual(await jwt.fetch(), first);
  assert.equal(jwt.fetched(), 2);
});

test('who asks for the same token at once shares one request; other audiences do not', async () => {
  await using jwt = await jwtWorld();
  const [a, b, c] = await Promise.all([jwt.fetch(['a', 'b']), jwt.fetch(['b', 'a']), jwt.fetch()]);
  assert.equal(a, b);
  assert.notEqual(a, c);
  assert.equal(jwt.fetched(), 2);
});

test('a token that cannot be renewed is answered as long as it is good, after the time for that', async () => {
  await using jwt = await jwtWorld({ jwtSvidCacheHitTimeoutMilliseconds: 8000 });
  const first = await jwt.fetch();
  jwt.server.failures.set('NewJWTSVID', new Fault('unavailable', 'not now'));
  await jwt.world.clock.advance({ seconds: 200 });
  const second = jwt.fetch();
  for (const pause of [1, 1.5, 2.25]) {
    await until(() => jwt.world.clock.sleepers > 0, 'the next try');
    await jwt.world.clock.advance({ seconds: pause });
  }
  assert.equal(await second, first);
  assert.equal(jwt.fetched(), 5, 'the pause after that would end too late');
  assert.ok(jwt.world.messages().includes('Unable to renew JWT; returning cached copy'));
});

test('a token that has expired is not answered', async () => {
  await using jwt = await jwtWorld();
  await jwt.fetch();
  jwt.server.failures.set('NewJWTSVID', new Fault('invalid', 'no'));
  await jwt.world.clock.advance({ seconds: 300 });
  await assert.rejects(jwt.fetch(), {
    message:
      'unable to renew JWT for "spiffe://fake.test/web" (err=failed to fetch JWT SVID: rpc error: code = InvalidArgument desc = no)',
  });
});

test('without a token it is tried for thirty seconds', async () => {
  await using jwt = await jwtWorld();
  jwt.server.failures.set('NewJWTSVID', new Fault('not-found', 'entry not found'));
  const start = jwt.world.clock.now();
  const token = assert.rejects(jwt.fetch(), {
    kind: 'not-found',
    message: 'failed to fetch JWT SVID: rpc error: code = NotFound desc = entry not found',
  });
  for (const pause of [1, 1.5, 2.25, 3.375, 5.0625, 7.59375]) {
    await until(() => jwt.world.clock.sleepers > 0, 'the next try');
    await jwt.world.clock.advance({ seconds: pause });
  }
  await token;
  assert.equal(jwt.fetched(), 7);
  assert.ok(jwt.world.clock.now() - start < 30_000);
});

for (const kind of ['unknown', 'canceled', 'deadline', 'invalid', 'unimplemented'] as const) {
  test(`"${kind}" is not tried again`, async () => {
    await using jwt = await jwtWorld();
    jwt.server.failures.set('NewJWTSVID', new Fault(kind, 'no'));
    await assert.rejects(jwt.fetch(), { kind });
    assert.equal(jwt.fetched(), 1);
  });
}

test('a caller who leaves does not end it for the others', async () => {
  await using jwt = await jwtWorld();
  const gone = new AbortController();
  const first = jwt.fetch(['a'], gone.signal);
  const second = jwt.fetch();
  gone.abort(new Error('gone'));
  await assert.rejects(first, { message: 'gone' });
  assert.ok(await second);
  assert.equal(jwt.fetched(), 1);
});

test('when the last caller has left, the server is not asked any more', async () => {
  await using jwt = await jwtWorld();
  jwt.server.failures.set('NewJWTSVID', new Fault('unavailable', 'not now'));
  const sleepers = jwt.world.clock.sleepers;
  const callers = [new AbortController(), new AbortController()];
  const asked = callers.map(({ signal }) => jwt.fetch(['a'], signal));
  await until(() => jwt.world.clock.sleepers > sleepers, 'the pause before the next try');
  for (const [index, caller] of callers.entries()) {
    caller.abort(new Error('gone'));
    await assert.rejects(asked[index] as Promise<unknown>, { message: 'gone' });
  }
  await until(() => jwt.world.clock.sleepers === sleepers, 'the end of the pause');
  assert.equal(jwt.fetched(), 1);

  jwt.server.failures.delete('NewJWTSVID');
  assert.ok(await jwt.fetch(), 'the next one asks anew');
  assert.equal(jwt.fetched(), 2);
});

test('a token that was asked for is renewed before it is asked for again; one that was not, is not', async () => {
  await using jwt = await jwtWorld();
  const { pass, stop } = jwt.world.run(jwt.agent);
  const first = await jwt.fetch();
  await pass(140);
  assert.equal(jwt.fetched(), 1);
  await pass(20);
  await jwt.server.reached('NewJWTSVID', 2);
  await until(() => jwt.agent.status.jwtSvidCount === 1, 'the new token');
  await pass(1);
  const second = await jwt.fetch();
  assert.notEqual(second, first);
  assert.equal(jwt.fetched(), 2, 'it was there');
  await pass(160);
  assert.equal(jwt.fetched(), 3, 'it was asked for once more');
  await pass(320);
  assert.equal(jwt.fetched(), 3, 'nobody asks any more');
  await stop();
});

test('no token of an entry that is gone is renewed', async () => {
  await using jwt = await jwtWorld();
  const { pass, stop } = jwt.world.run(jwt.agent);
  await jwt.fetch();
  jwt.server.entries = [];
  await pass(200);
  assert.equal(jwt.fetched(), 1);
  await stop();
});

test('who asks while a token is renewed ahead shares that request', async () => {
  await using jwt = await jwtWorld();
  await jwt.fetch();
  await jwt.world.clock.advance({ seconds: 200 });
  const { pass, stop } = jwt.world.run(jwt.agent);
  await Promise.all([pass(6), jwt.fetch(), jwt.fetch()]);
  assert.equal(jwt.fetched(), 2);
  await stop();
});
