import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { readWitPublicKey, witKey } from './wit-key.ts';

const encodings = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
} as const;
const ec = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve, ...encodings }).publicKey;
const rsa = (modulusLength: number) =>
  generateKeyPairSync('rsa', { modulusLength, ...encodings }).publicKey;

const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const everything = [
  ...rsaAlgorithms,
  'ES256',
  'ES384',
  'ES512',
  'es256',
  'HS256',
  'EdDSA',
  'none',
  '',
];

const keys: [name: string, spki: Uint8Array, algorithms: string[]][] = [
  ['RSA', rsa(2048), rsaAlgorithms],
  ['ec-p256', ec('P-256'), ['ES256']],
  ['ec-p384', ec('P-384'), ['ES384']],
  ['ec-p521', ec('P-521'), ['ES512']],
];
for (const [name, spki, algorithms] of keys) {
  test(`a key of type ${name} signs with ${algorithms.join(', ')}`, () => {
    const key = readWitPublicKey(spki);
    for (const algorithm of everything) {
      const choose = () => witKey(key, algorithm);
      if (algorithms.includes(algorithm)) {
        assert.deepEqual(choose(), { publicKey: key, signingAlgorithm: algorithm });
      } else {
        assert.throws(choose, {
          kind: 'invalid',
          message: `unsupported signing algorithm for ${name} key: ${algorithm}`,
        });
      }
    }
  });
}

const others: [type: string, spki: Uint8Array][] = [
  ['ed25519.PublicKey', generateKeyPairSync('ed25519', encodings).publicKey],
  ['*ecdh.PublicKey', generateKeyPairSync('x25519', encodings).publicKey],
];
for (const [type, spki] of others) {
  test(`a key of type ${type} signs with nothing`, () => {
    assert.throws(() => witKey(readWitPublicKey(spki), 'EdDSA'), {
      kind: 'invalid',
      message: `unsupported key type '${type}'`,
    });
  });
}

const refusals: [why: string, spki: Uint8Array, message: string | RegExp][] = [
  ['nothing', new Uint8Array(), /./],
  ['no DER', Uint8Array.of(1, 2), /./],
  ['more than a key', Buffer.concat([ec('P-256'), Uint8Array.of(0)]), /./],
  ['a key on another curve', ec('secp256k1'), 'x509: unsupported elliptic curve'],
  ['a tiny RSA key', rsa(512), 'unsupported RSA key: use one of 1024 to 16384 bits'],
  [
    'a key for another use',
    generateKeyPairSync('x448', encodings).publicKey,
    'x509: unknown public key algorithm',
  ],
];
for (const [why, spki, message] of refusals) {
  test(`${why} is no public key`, () => {
    assert.throws(() => readWitPublicKey(spki), { kind: 'invalid', message });
  });
}
