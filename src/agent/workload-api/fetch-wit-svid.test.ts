import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { authorizedEntry } from '../../../test/kit/authorized-entry.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Fault } from '../../base/fault.ts';
import { generateKey } from '../../crypto/keys.ts';
import { silentLog } from '../../ops/log.ts';
import type { Encoded } from '../../rpc/service.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import {
  WITBundlesResponseSchema,
  WITSVIDResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { Mailbox } from '../cache/mailbox.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { Identities, WitSvid } from '../identities.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { fetchWitBundles } from './fetch-bundles.ts';
import { fetchWitSvid } from './fetch-wit-svid.ts';
import { workloadApi } from './service.ts';

const trustDomain = TrustDomain.parse('cache.test');
const LIFETIME = 100;

/** A caller of these entries, and a token authority that counts. */
function place(...given: readonly AuthorizedEntry[]) {
  const clock = new VirtualClock();
  const news = new Mailbox<WorkloadUpdate>();
  const calling = new AbortController();
  const state = { entries: given, failure: undefined as Error | undefined, minted: 0, left: 0 };
  const identities = {
    subscribe: () => ({
      next: (signal: AbortSignal) => news.next(signal),
      [Symbol.dispose]: () => {
        state.left++;
      },
    }),
    awaitEntry: async () => {},
    matchingEntries: () => state.entries,
    async fetchWitSvid({ id }): Promise<WitSvid> {
      if (state.failure !== undefined) throw state.failure;
      const age = Math.floor((clock.now() - START) / 1000 / (LIFETIME / 2));
      const issuedAt = START / 1000 + age * (LIFETIME / 2);
      return { token: `${id}-${age}`, key: 'jwk', issuedAt, expiresAt: issuedAt + LIFETIME };
    },
  } satisfies Partial<Identities> as unknown as Identities;
  const START = clock.now();
  const deps: WorkloadApiDeps = {
    identities,
    trustDomain,
    clock,
    allowUnauthenticatedVerifiers: false,
    allowedForeignJwtClaims: [],
    logSelectors: [],
    witSvids: true,
  };
  const call: WorkloadCall = {
    signal: calling.signal,
    log: silentLog,
    isOwn: false,
    attest: async () => new Set(['a:b']),
  };
  const open = (spiffeId = '') => fetchWitSvid(deps, { spiffeId }, call);
  const next = async (answers: AsyncGenerator<Encoded>) => {
    const { value, done } = await answers.next();
    assert.ok(!done);
    return fromBinary(WITSVIDResponseSchema, value.bytes).svids;
  };
  return { clock, news, calling, state, deps, call, open, next };
}

const tell = (news: Mailbox<WorkloadUpdate>) => {
  news.deliver({ identities: [], bundle: emptyBundle(trustDomain), federatedBundles: [] });
};
const web = authorizedEntry('web', ['a:b'], { hint: 'internal', createdAt: 1 });
const db = authorizedEntry('db', ['a:b']);

test('each identity has its token, its key and its hint', async () => {
  const { open, next } = place(db, web);
  const svids = await next(open());
  assert.deepEqual(
    svids.map(({ spiffeId, witSvid, witSvidKey, hint }) => [spiffeId, witSvid, witSvidKey, hint]),
    [
      ['spiffe://cache.test/db', 'db-0', 'jwk', ''],
      ['spiffe://cache.test/web', 'web-0', 'jwk', 'internal'],
    ],
  );
});

test('of identities with the same hint the oldest stays; one alone can be asked for', async () => {
  const younger = authorizedEntry('young', ['a:b'], { hint: 'internal', createdAt: 2 });
  const { open, next } = place(web, younger);
  assert.equal((await next(open())).length, 1);
  const other = place(db, web);
  const svids = await other.next(other.open('spiffe://cache.test/web'));
  assert.deepEqual(
    svids.map(({ witSvid }) => witSvid),
    ['web-0'],
  );
});

test('a token that has lived half its life is followed by the next', async () => {
  const { open, next, clock } = place(web);
  const answers = open();
  assert.equal((await next(answers))[0]?.witSvid, 'web-0');
  const renewed = next(answers);
  while (clock.sleepers === 0) await new Promise(setImmediate);
  await clock.advance({ seconds: LIFETIME / 2 });
  assert.equal((await renewed)[0]?.witSvid, 'web-1');
});

test('news without consequence are not told, those of entries are', async () => {
  const { open, next, news, state } = place(web);
  const answers = open();
  await next(answers);
  const following = next(answers);
  tell(news);
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  state.entries = [db, web];
  tell(news);
  assert.equal((await following).length, 2);
});

test('ends when the last identity goes, and holds nothing then', async () => {
  const { open, next, news, state, clock } = place(web);
  const answers = open();
  await next(answers);
  state.entries = [];
  tell(news);
  await assert.rejects(next(answers), { kind: 'denied', message: 'no identity issued' });
  assert.equal(state.left, 1);
  assert.equal(clock.sleepers, 0);
});

test('a caller who leaves ends it', async () => {
  const { open, next, calling, state, clock } = place(web);
  const answers = open();
  await next(answers);
  const waiting = next(answers);
  while (clock.sleepers === 0) await new Promise(setImmediate);
  calling.abort(new Fault('canceled', 'gone'));
  await assert.rejects(waiting, { message: 'gone' });
  assert.equal(state.left, 1);
  assert.equal(clock.sleepers, 0);
});

const refusals: readonly [why: string, spiffeId: string, expected: object][] = [
  [
    'a malformed SPIFFE ID',
    'x',
    { kind: 'invalid', message: 'invalid requested SPIFFE ID: scheme is missing or invalid' },
  ],
  [
    'an identity that it has not',
    'spiffe://cache.test/other',
    { kind: 'denied', message: 'no identity issued' },
  ],
];
for (const [why, spiffeId, expected] of refusals) {
  test(`refuses ${why}`, async () => {
    const { open, next } = place(web);
    await assert.rejects(next(open(spiffeId)), expected);
  });
}

test('tells why no token can be had', async () => {
  const { open, next, state } = place(web);
  state.failure = new Fault('not-found', 'no such entry');
  await assert.rejects(next(open()), {
    kind: 'unavailable',
    message: 'could not fetch WIT-SVID: no such entry',
  });
});

test('bundles are key sets whose keys say what they are for', async () => {
  const { deps, call, news } = place(web);
  const key = await generateKey('ec-p256');
  const authority = { publicKey: key.publicKey.spki, keyId: 'k1', expiresAt: 0, tainted: false };
  news.deliver({
    identities: [{ entry: web, svid: {} as never }],
    bundle: { ...emptyBundle(trustDomain), witAuthorities: [authority] },
    federatedBundles: [emptyBundle(TrustDomain.parse('b.test'))],
  });
  const { value } = await fetchWitBundles(deps, call).next();
  const { bundles } = fromBinary(WITBundlesResponseSchema, (value as Encoded).bytes);
  assert.deepEqual(Object.keys(bundles).sort(), ['spiffe://b.test', 'spiffe://cache.test']);
  const { keys } = JSON.parse(bundles['spiffe://cache.test'] ?? '') as { keys: object[] };
  assert.deepEqual(
    keys.map((one) => ({ ...one, x: '', y: '' })),
    [{ use: 'wit-svid', kty: 'EC', kid: 'k1', crv: 'P-256', x: '', y: '' }],
  );
  assert.deepEqual(JSON.parse(bundles['spiffe://b.test'] ?? ''), { keys: [] });
});

test('without the feature both methods answer as SPIRE does', () => {
  const { deps, call } = place(web);
  const { methods } = workloadApi({ ...deps, witSvids: false });
  for (const [name, message] of [
    ['FetchWITSVID', 'fetching WIT-SVIDs is not implemented'],
    ['FetchWITBundles', 'fetching WIT bundles is not implemented'],
  ]) {
    const method = methods.find(({ desc }) => desc.name === name);
    assert.throws(() => method?.handle({}, call), { kind: 'unimplemented', message });
  }
});
