import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { authorizedEntry } from '../../../test/kit/authorized-entry.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import {
  type BatchNewWITSVIDRequest,
  BatchNewWITSVIDResponseSchema,
} from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { WitSvids } from './wit-svids.ts';

const { signal } = new AbortController();
const web = authorizedEntry('web', ['a:b']);
const LIFETIME = 100;

type Answer = Parameters<typeof create<typeof BatchNewWITSVIDResponseSchema>>[1];

/** A server that signs whatever it is asked to, with the key of that ID. */
function start({ maxSize = 10 } = {}) {
  const clock = new VirtualClock();
  const requests: BatchNewWITSVIDRequest[] = [];
  const tainted = new Set<string>();
  const server = {
    keyId: 'k1',
    failure: undefined as Error | undefined,
    answer: undefined as Answer,
  };
  const now = () => clock.now() / 1000;
  const signed = (): Answer => {
    const header = Buffer.from(JSON.stringify({ kid: server.keyId })).toString('base64url');
    const svid = {
      token: `${header}.${requests.length}.`,
      issuedAt: BigInt(now()),
      expiresAt: BigInt(now() + LIFETIME),
    };
    return { results: [{ status: { code: 0 }, svid }] };
  };
  const client = {
    async batchNewWITSVID(request: BatchNewWITSVIDRequest) {
      requests.push(request);
      if (server.failure !== undefined) throw server.failure;
      return create(BatchNewWITSVIDResponseSchema, server.answer ?? signed());
    },
  };
  const connection = {
    call: (_service: unknown, run: (client: unknown, options: object) => unknown) =>
      run(client, {}),
  } as unknown as Pick<ServerConnection, 'call'>;
  const svids = new WitSvids({
    connection,
    maxSize,
    taintedKeyIds: () => tainted,
    clock,
    random: () => 0.5,
    log: silentLog,
    signal,
  });
  return { clock, requests, tainted, server, svids };
}

/** Lets time pass whenever somebody waits for that. */
async function passUntilSettled(clock: VirtualClock, asked: Promise<unknown>): Promise<void> {
  const settled = new AbortController();
  const settle = () => {
    settled.abort();
  };
  asked.then(settle, settle);
  const deadline = Date.now() + 5000;
  while (!settled.signal.aborted && Date.now() < deadline) {
    await new Promise(setImmediate);
    if (clock.sleepers > 0) await clock.advance({ seconds: 1 });
  }
}

test('the token is for the key that comes with it', async () => {
  const { svids, requests } = start();
  const { key } = await svids.fetch(web, signal);
  const [params] = requests[0]?.params ?? [];
  assert.equal(params?.entryId, 'web');
  assert.equal(params?.signingAlgorithm, 'ES256');
  const jwk = JSON.parse(key) as { alg: string };
  assert.equal(jwk.alg, 'ES256');
  const publicKey = createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' }));
  assert.deepEqual(
    publicKey.export({ format: 'der', type: 'spki' }),
    Buffer.from(params?.publicKey ?? []),
  );
});

test('is kept for half its life, and asked for once by all who wait', async () => {
  const { svids, requests, clock } = start();
  const [first, second] = await Promise.all([svids.fetch(web, signal), svids.fetch(web, signal)]);
  assert.equal(first, second);
  await clock.advance({ seconds: LIFETIME / 2 - 1 });
  assert.equal(await svids.fetch(web, signal), first);
  await clock.advance({ seconds: 1 });
  const renewed = await svids.fetch(web, signal);
  assert.notEqual(renewed.token, first.token);
  assert.notEqual(renewed.key, first.key);
  assert.equal(requests.length, 2);
});

test('an entry that now has another SPIFFE ID gets a token of its own', async () => {
  const { svids, requests } = start();
  await svids.fetch(web, signal);
  await svids.fetch({ id: web.id, spiffeId: authorizedEntry('db', ['a:b']).spiffeId }, signal);
  assert.equal(requests.length, 2);
});

test('what an authority signed that is called tainted is not used', async () => {
  const { svids, server, tainted } = start();
  const first = await svids.fetch(web, signal);
  tainted.add('k1');
  server.keyId = 'k2';
  assert.notEqual((await svids.fetch(web, signal)).token, first.token);
});

test('while the server is away, what is valid is used', async () => {
  const { svids, server, clock, requests } = start();
  const first = await svids.fetch(web, signal);
  server.failure = new Fault('unavailable', 'away');
  await clock.advance({ seconds: LIFETIME - 1 });
  assert.equal(await svids.fetch(web, signal), first);
  assert.equal(requests.length, 2);
  await clock.advance({ seconds: 1 });
  const asked = svids.fetch(web, signal);
  await passUntilSettled(clock, asked);
  assert.ok(requests.length > 4, 'who has none has the server asked again');
  await assert.rejects(asked, {
    kind: 'unavailable',
    message: 'failed to fetch WIT-SVID: rpc error: code = Unavailable desc = away',
  });
});

test('a failure that passes is one that nobody is told of', async () => {
  const { svids, server, clock, requests } = start();
  server.failure = new Fault('unavailable', 'away');
  const asked = svids.fetch(web, signal);
  const deadline = Date.now() + 5000;
  while (clock.sleepers === 0 && Date.now() < deadline) await new Promise(setImmediate);
  server.failure = undefined;
  await clock.advance({ seconds: 2 });
  assert.ok(await asked);
  assert.equal(requests.length, 2);
});

test('after a refusal the next who asks has the server asked again', async () => {
  const { svids, server, requests } = start();
  server.failure = new Fault('invalid', 'no');
  await assert.rejects(svids.fetch(web, signal), { kind: 'invalid' });
  server.failure = undefined;
  assert.ok(await svids.fetch(web, signal));
  assert.equal(requests.length, 2);
});

test('the least recently used goes when there are too many', async () => {
  const { svids, requests } = start({ maxSize: 2 });
  const [a, b, c] = ['a', 'b', 'c'].map((id) => authorizedEntry(id, ['a:b']));
  for (const entry of [a, b, a, c]) await svids.fetch(entry ?? assert.fail(), signal);
  assert.equal(svids.count, 2);
  await svids.fetch(a ?? assert.fail(), signal);
  assert.equal(requests.length, 3, 'a was used last but one');
  await svids.fetch(b ?? assert.fail(), signal);
  assert.equal(requests.length, 4);
});

const refusals: readonly [why: string, answer: Answer, expected: object][] = [
  [
    'the server refuses the entry',
    { results: [{ status: { code: 5, message: 'entry not found or not authorized' } }] },
    { kind: 'not-found' },
  ],
  ['there is no result', { results: [] }, { kind: 'unknown' }],
  ['there is no SVID', { results: [{ status: { code: 0 } }] }, { kind: 'unknown' }],
  [
    'it has no lifetime',
    { results: [{ svid: { token: 'a.b.c', issuedAt: 5n, expiresAt: 5n } }] },
    { kind: 'unknown' },
  ],
  [
    'it is no token',
    { results: [{ svid: { token: 'x', issuedAt: 5n, expiresAt: 9_999_999_999n } }] },
    { kind: 'unknown' },
  ],
];
for (const [why, answer, expected] of refusals) {
  test(`there is no token where ${why}`, async () => {
    const { svids, server, clock } = start();
    server.answer = answer;
    const asked = svids.fetch(web, signal);
    await passUntilSettled(clock, asked);
    await assert.rejects(asked, expected);
    assert.equal(svids.count, 0);
  });
}

test('who leaves is not kept waiting', async () => {
  const { svids } = start();
  const leaving = new AbortController();
  const waiting = svids.fetch(web, leaving.signal);
  leaving.abort(new Error('gone'));
  await assert.rejects(waiting, { message: 'gone' });
});
