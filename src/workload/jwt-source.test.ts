import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { FakeWorkloadApi } from '../../test/kit/workload-api.ts';
import { Fault } from '../base/fault.ts';
import { signJws } from '../crypto/jose/jws.ts';
import { generateKey } from '../crypto/keys.ts';
import { emptyBundle } from '../spiffe/bundle.ts';
import { writeJwtKeySet } from '../spiffe/bundle-document.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { JwtSource } from './jwt-source.ts';

const trustDomain = TrustDomain.parse('example.test');
const web = SpiffeId.parse('spiffe://example.test/web');
const LIFETIME = 100;
const key = await generateKey('ec-p256');
const bundle = {
  ...emptyBundle(trustDomain),
  jwtAuthorities: [{ keyId: 'k1', publicKey: key.publicKey.spki, expiresAt: 0, tainted: false }],
};

async function start(t: TestContext, { withoutIssuedAt = false } = {}) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const path = join(folder.path, 'w.sock');
  const clock = new VirtualClock();
  const now = () => Math.floor(clock.now() / 1000);
  const api = await FakeWorkloadApi.serve(path);
  t.after(() => api[Symbol.asyncDispose]());
  api.jwtBundles = { [trustDomain.idString]: Buffer.from(writeJwtKeySet(bundle)) };
  const asked: string[] = [];
  const issue: FakeWorkloadApi['issueJwt'] = async ({ audience, spiffeId }) => {
    asked.push([spiffeId, ...audience].join(' '));
    const payload = {
      sub: web.toString(),
      aud: audience,
      exp: now() + LIFETIME,
      ...(!withoutIssuedAt && { iat: now() }),
      jti: String(asked.length),
    };
    const token = await signJws({ header: { kid: 'k1' }, payload }, key, 'ES256');
    return { svids: [{ spiffeId: web.toString(), svid: token }] };
  };
  api.issueJwt = issue;
  const source = await JwtSource.open({ endpoint: `unix://${path}`, clock });
  t.after(() => source[Symbol.asyncDispose]());
  return { api, clock, asked, issue, source };
}

test('a token is fetched once for all who ask, again after half its life, once for all of these too', async (t) => {
  const { clock, asked, source } = await start(t);
  const fetchThree = () =>
    Promise.all([1, 2, 3].map(async () => (await source.fetch({ audience: 'a' })).token));
  const [first, ...others] = await fetchThree();
  assert.deepEqual(others, [first, first]);
  await clock.advance({ seconds: LIFETIME / 2 - 1 });
  assert.deepEqual(await fetchThree(), [first, first, first]);
  assert.equal(asked.length, 1);
  await clock.advance({ seconds: 1 });
  const [second, ...rest] = await fetchThree();
  assert.notEqual(second, first);
  assert.deepEqual(rest, [second, second]);
  assert.equal(asked.length, 2);
});

test('a token that does not say when it was issued counts from when it came', async (t) => {
  const { clock, asked, source } = await start(t, { withoutIssuedAt: true });
  await source.fetch({ audience: 'a' });
  await clock.advance({ seconds: LIFETIME / 2 - 1 });
  await source.fetch({ audience: 'a' });
  assert.equal(asked.length, 1);
  await clock.advance({ seconds: 1 });
  await source.fetch({ audience: 'a' });
  assert.equal(asked.length, 2);
});

test('other audiences, and other identities, have tokens of their own', async (t) => {
  const { asked, source } = await start(t);
  for (const audience of ['a', ['a', 'b'], 'a']) await source.fetch({ audience });
  await source.fetch({ audience: 'a', id: web });
  assert.deepEqual(asked, [' a', ' a b', `${web.toString()} a`]);
});

test('what is valid is used while the agent is away; what has expired, or is refused, is not', async (t) => {
  const { api, clock, issue, source } = await start(t);
  const first = await source.fetch({ audience: 'a' });
  api.issueJwt = () => Promise.reject(new Fault('unavailable', 'away'));
  await clock.advance({ seconds: LIFETIME - 1 });
  assert.equal(await source.fetch({ audience: 'a' }), first);
  await assert.rejects(source.fetch({ audience: 'b' }), { kind: 'unavailable', message: 'away' });
  api.issueJwt = () => Promise.reject(new Fault('denied', 'no identity issued'));
  await assert.rejects(source.fetch({ audience: 'a' }), { kind: 'denied' });
  api.issueJwt = () => Promise.reject(new Fault('unavailable', 'away'));
  await clock.advance({ seconds: 1 });
  await assert.rejects(source.fetch({ audience: 'a' }), { kind: 'unavailable' });
  api.issueJwt = issue;
  assert.notEqual(await source.fetch({ audience: 'a' }), first);
});

test('who gives up does so at once, and takes nothing from others; no listener is left behind', async (t) => {
  const { api, issue, source, asked } = await start(t);
  const gate = Promise.withResolvers<void>();
  api.issueJwt = async (request) => {
    await gate.promise;
    return issue(request);
  };
  const stop = new AbortController();
  const { signal } = stop;
  const given = source.fetch({ audience: 'a', signal });
  const patient = source.fetch({ audience: 'a' });
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(given, reason);
  await assert.rejects(source.fetch({ audience: 'b', signal }), reason);
  assert.deepEqual(getEventListeners(signal, 'abort'), []);
  gate.resolve();
  assert.ok(await patient);
  assert.equal(asked.length, 1);
});

test('tokens of others are verified offline, for an audience', async (t) => {
  const { source } = await start(t);
  const { token } = await source.fetch({ audience: ['a', 'b'] });
  assert.equal((await source.verify(token, 'b')).id.toString(), web.toString());
  await assert.rejects(source.verify(token, 'c'), { kind: 'invalid' });
  await assert.rejects(source.verify(`${token}x`, 'a'), { kind: 'invalid' });
  await assert.rejects(source.verify('nonsense', 'a'), { kind: 'invalid' });
  assert.deepEqual(
    source.bundleOf(trustDomain)?.jwtAuthorities.map(({ keyId }) => keyId),
    ['k1'],
  );
  assert.equal(source.bundleOf(TrustDomain.parse('b.test')), undefined);
});

test('a source that was disposed fetches nothing more', async (t) => {
  const { source } = await start(t);
  await source[Symbol.asyncDispose]();
  await assert.rejects(source.fetch({ audience: 'a' }), { kind: 'canceled' });
});
