import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { sharedKey } from '../../../test/kit/keys.ts';
import { type KeyType, keyTypes } from '../keys.ts';
import { type Jwk, jwkFromPublicKey, publicKeyFromJwk } from './jwk.ts';

for (const type of Object.keys(keyTypes) as KeyType[]) {
  test(`the JWK of a key of type ${type} is Node's, and reads as it was written`, async () => {
    const { spki } = (await sharedKey(type)).publicKey;
    const jwk = jwkFromPublicKey(spki);
    const own = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    assert.deepEqual({ ...jwk }, { ...own.export({ format: 'jwk' }) });
    assert.deepEqual(publicKeyFromJwk(jwk), spki);
  });
}

test('keys on P-521 have JWKs', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-521' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const jwk = jwkFromPublicKey(spki);
  assert.equal('crv' in jwk && jwk.crv, 'P-521');
  assert.deepEqual(Buffer.from(publicKeyFromJwk(jwk)), spki);
});

test('the exponent is as short as it can be', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024, publicExponent: 3 });
  const jwk = jwkFromPublicKey(publicKey.export({ format: 'der', type: 'spki' }));
  assert.equal('e' in jwk && jwk.e, 'Aw');
});

/** RFC 7517 §A.1. */
const ec: Jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};
const rsa: Jwk = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
};

test('the keys of RFC 7517 are read, whatever other members they have', () => {
  for (const jwk of [ec, rsa]) {
    assert.deepEqual(jwkFromPublicKey(publicKeyFromJwk({ ...jwk, kid: '1', use: 'enc' })), jwk);
  }
});

test('zeros before an RSA modulus are skipped, as Go does', () => {
  const n = Buffer.concat([Buffer.of(0), Buffer.from(rsa.n, 'base64url')]).toString('base64url');
  assert.deepEqual(publicKeyFromJwk({ ...rsa, n }), publicKeyFromJwk(rsa));
});

const flip = (text: string): string => (text.startsWith('M') ? `N${text.slice(1)}` : text);

for (const [why, jwk, text] of [
  ['of no kind', {}, "unknown json web key type ''"],
  ['of a symmetric kind', { kty: 'oct', k: 'AQAB' }, "unknown json web key type 'oct'"],
  ['of OKP', { kty: 'OKP', crv: 'Ed25519', x: 'AQAB' }, "unknown json web key type 'OKP'"],
  ['of a kind that is no string', { kty: 1 }, /^unknown json web key type/],
  ['of a kind that is inherited', { kty: 'constructor' }, /^unknown json web key type/],
  ['on no curve', { ...ec, crv: undefined }, "unsupported elliptic curve ''"],
  ['on another curve', { ...ec, crv: 'secp256k1' }, "unsupported elliptic curve 'secp256k1'"],
  ['without x', { ...ec, x: undefined }, /member 'x' is missing or malformed/],
  ['with an empty y', { ...ec, y: '' }, /member 'y' is missing or malformed/],
  ['with a number for y', { ...ec, y: 5 }, /member 'y' is missing or malformed/],
  ['with padding', { ...ec, x: `${ec.x}=` }, /member 'x' .* is not base64url/],
  ['in plain base64', { ...ec, x: ec.x.replace('M', '+') }, /member 'x' .* is not base64url/],
  ['off its curve', { ...ec, x: flip(ec.x) }, 'x509: invalid elliptic curve public key'],
  ['of another curve', { ...ec, crv: 'P-384' }, 'x509: invalid elliptic curve public key'],
  ['with a short coordinate', { ...ec, x: 'AQ' }, 'x509: invalid elliptic curve public key'],
  ['without n', { ...rsa, n: undefined }, /member 'n' is missing or malformed/],
  ['with an endless n', { ...rsa, n: 'A'.repeat(5000) }, /member 'n' is missing or malformed/],
  ['with n = 0', { ...rsa, n: 'AA' }, /modulus is not an odd number/],
  ['with an even n', { ...rsa, n: `${rsa.n.slice(0, -2)}gg` }, /modulus is not an odd number/],
  [
    'of RSA-512',
    { ...rsa, n: Buffer.alloc(64, 0xff).toString('base64url') },
    /^unsupported RSA key/,
  ],
  ['with e = 1', { ...rsa, e: 'AQ' }, /exponent is not an odd number/],
  ['with an endless e', { ...rsa, e: rsa.n }, /^unsupported RSA key/],
] as [string, Record<string, unknown>, string | RegExp][]) {
  test(`refuses a JWK ${why}`, () => {
    assert.throws(() => publicKeyFromJwk(jwk), { kind: 'invalid', message: text });
  });
}

test('there is no JWK of a key that we do not use', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  assert.throws(() => jwkFromPublicKey(spki), { kind: 'invalid' });
});
