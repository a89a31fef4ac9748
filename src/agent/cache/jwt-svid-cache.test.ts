import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { JwtSvidCache, jwtSvidKey } from './jwt-svid-cache.ts';

const web = SpiffeId.parse('spiffe://cache.test/web');
const db = SpiffeId.parse('spiffe://cache.test/db');
const header = (kid: string) =>
  Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url');
const svid = (kid = 'k') => ({ token: `${header(kid)}.e30.`, issuedAt: 0, expiresAt: 300 });

const keys: readonly [
  why: string,
  a: [SpiffeId, string[]],
  b: [SpiffeId, string[]],
  same: boolean,
][] = [
  ['the order of audiences', [web, ['a', 'b']], [web, ['b', 'a']], true],
  ['a duplicate audience', [web, ['a']], [web, ['a', 'a']], false],
  ['another SPIFFE ID', [web, ['a']], [db, ['a']], false],
  ['audiences that join to the same text', [web, ['ab']], [web, ['a', 'b']], false],
  ['audiences that contain what separates others', [web, ['a\0b']], [web, ['a', 'b']], false],
  ['no audience and an empty one', [web, []], [web, ['']], false],
];
for (const [why, a, b, same] of keys) {
  test(`${why}: ${same ? 'one token' : 'two tokens'}`, () => {
    assert.equal(jwtSvidKey(...a) === jwtSvidKey(...b), same);
  });
}

test('the least recently used token goes when there is no room', () => {
  const cache = new JwtSvidCache(2);
  cache.set(web, ['1'], svid());
  cache.set(web, ['2'], svid());
  cache.get(web, ['1']);
  cache.set(web, ['3'], svid());
  assert.deepEqual(
    ['1', '2', '3'].map((name) => cache.get(web, [name]) !== undefined),
    [true, false, true],
  );
});

test('a full cache makes room even for a token that replaces another', () => {
  const cache = new JwtSvidCache(2);
  cache.set(web, ['1'], svid());
  cache.set(web, ['2'], svid());
  cache.set(web, ['2'], svid());
  assert.equal(cache.size, 1);
});

test('tokens of a tainted key are forgotten, and counted', () => {
  const cache = new JwtSvidCache(10);
  cache.set(web, ['1'], svid('bad'));
  cache.set(web, ['2'], svid('good'));
  assert.equal(cache.removeSignedBy(new Set(['bad', 'worse'])), 1);
  assert.equal(cache.get(web, ['1']), undefined);
  assert.ok(cache.get(web, ['2']));
});

test('a token that no HTTP header could carry is not kept', () => {
  const cache = new JwtSvidCache(10);
  const { token, ...rest } = svid();
  cache.set(web, ['1'], { ...rest, token: token.padEnd(16 * 1024, 'x') });
  cache.set(web, ['2'], { ...rest, token: token.padEnd(16 * 1024 + 1, 'x') });
  assert.ok(cache.get(web, ['1']));
  assert.equal(cache.get(web, ['2']), undefined);
});
