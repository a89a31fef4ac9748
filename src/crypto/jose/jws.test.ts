import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import * as jose from 'jose';
import { sharedKey } from '../../../test/kit/keys.ts';
import { type PrivateKey, readPrivateKey, readPublicKey } from '../keys.ts';
import type { Signer } from '../signer.ts';
import { type JwsAlgorithm, jwsAlgorithms } from './algorithms.ts';
import { publicKeyFromJwk } from './jwk.ts';
import { jwsAlgorithmFor, parseJws, signJws, verifyJws } from './jws.ts';

const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
const keys: Record<string, PrivateKey> = {
  'ec-p256': await sharedKey('ec-p256'),
  'ec-p384': await sharedKey('ec-p384'),
  'ec-p521': readPrivateKey(p521.export({ format: 'der', type: 'pkcs8' })),
  rsa: await sharedKey('rsa-2048'),
};
const algorithms = Object.keys(jwsAlgorithms) as JwsAlgorithm[];
const keyFor = (algorithm: JwsAlgorithm): PrivateKey => {
  const key = keys[jwsAlgorithms[algorithm].kind];
  assert.ok(key);
  return key;
};

for (const algorithm of algorithms) {
  test(`${algorithm} signatures verify here and with jose`, async () => {
    const key = keyFor(algorithm);
    const payload = { sub: 'spiffe://example.org/a', aud: ['b'] };
    const token = await signJws({ header: { kid: 'k', typ: 'JWT' }, payload }, key, algorithm);
    const jws = parseJws(token);
    assert.deepEqual(jws.header, { alg: algorithm, kid: 'k', typ: 'JWT' });
    assert.equal(await verifyJws(jws, key.publicKey), true);
    const spki = { key: Buffer.from(key.publicKey.spki), format: 'der', type: 'spki' } as const;
    const theirs = await jose.compactVerify(token, createPublicKey(spki));
    assert.equal(
      Buffer.from(theirs.payload).toString(),
      JSON.stringify({ aud: ['b'], sub: payload.sub }),
    );
  });

  test(`${algorithm} signatures of jose verify here`, async () => {
    const key = keyFor(algorithm);
    const pkcs8 = Buffer.from(key.toPkcs8()).toString('base64');
    const pem = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----`;
    const token = await new jose.CompactSign(Buffer.from('{}'))
      .setProtectedHeader({ alg: algorithm })
      .sign(await jose.importPKCS8(pem, algorithm));
    assert.equal(await verifyJws(parseJws(token), key.publicKey), true);
  });

  test(`no key but its own verifies ${algorithm}`, async () => {
    const token = await signJws({ header: {}, payload: {} }, keyFor(algorithm), algorithm);
    const jws = parseJws(token);
    for (const [kind, key] of Object.entries(keys)) {
      assert.equal(await verifyJws(jws, key.publicKey), kind === jwsAlgorithms[algorithm].kind);
    }
    for (const other of algorithms.filter((name) => name !== algorithm)) {
      const verified = await verifyJws({ ...jws, algorithm: other }, keyFor(algorithm).publicKey);
      assert.equal(verified, false, other);
    }
  });
}

test('header and payload are written in alphabetical order', async () => {
  const key = keyFor('ES256');
  const content = { header: { typ: 'JWT', kid: 'k' }, payload: { sub: 's', exp: 2, aud: [] } };
  const [header, payload] = (await signJws(content, key, 'ES256')).split('.');
  assert.equal(
    Buffer.from(header ?? '', 'base64url').toString(),
    '{"alg":"ES256","kid":"k","typ":"JWT"}',
  );
  assert.equal(Buffer.from(payload ?? '', 'base64url').toString(), '{"aud":[],"exp":2,"sub":"s"}');
});

test('payloads read as they were written', async () => {
  const key = keyFor('ES256');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), async (payload) => {
      const jws = parseJws(await signJws({ header: {}, payload }, key, 'ES256'));
      assert.deepEqual(jws.payload, payload);
      assert.equal(await verifyJws(jws, key.publicKey), true);
    }),
    { numRuns: 50 },
  );
});

test('ECDSA signatures keep their length when r or s is small', async () => {
  const key = keyFor('ES256');
  for (let i = 0; i < 300; i++) {
    const token = await signJws({ header: {}, payload: { i } }, key, 'ES256');
    assert.equal(parseJws(token).signature.length, 64);
  }
});

test('the algorithm follows the key', () => {
  assert.deepEqual(
    Object.values(keys).map((key) => jwsAlgorithmFor(key.publicKey)),
    ['ES256', 'ES384', 'ES512', 'RS256'],
  );
});

test('a key of another kind does not sign', async () => {
  await assert.rejects(signJws({ header: {}, payload: {} }, keyFor('ES256'), 'RS256'), {
    kind: 'invalid',
    message: 'a key of kind ec-p256 does not sign RS256',
  });
});

test('a signer without PSS does not sign PS256', async () => {
  const key = keyFor('RS256');
  const signer: Signer = {
    publicKey: key.publicKey,
    sign: (message, hash) => key.sign(message, hash),
  };
  await assert.rejects(signJws({ header: {}, payload: {} }, signer, 'PS256'), {
    kind: 'invalid',
    message: 'this signer makes no RSASSA-PSS signatures',
  });
});

test('the example of RFC 7515 §A.3 verifies', async () => {
  const token =
    'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
  const key = readPublicKey(
    publicKeyFromJwk({
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    }),
  );
  assert.equal(await verifyJws(parseJws(token), key), true);
});

test('the example of RFC 7515 §A.2 verifies', async () => {
  const token =
    'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';
  const key = readPublicKey(
    publicKeyFromJwk({
      kty: 'RSA',
      n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
      e: 'AQAB',
    }),
  );
  assert.equal(await verifyJws(parseJws(token), key), true);
});

const encode = (text: string): string => Buffer.from(text).toString('base64url');
const tokenOf = (header: string, payload = '{}', signature = 'AA'): string =>
  `${encode(header)}.${encode(payload)}.${signature}`;
const token = tokenOf('{"alg":"ES256"}');

test('a token is read before anybody knows whether it is signed', () => {
  assert.equal(parseJws(token).algorithm, 'ES256');
  assert.equal(parseJws(tokenOf('{"alg":"ES256"}', '', '')).payload.length, 0);
});

const NOT_COMPACT = 'token is not a JWS in compact serialization';

for (const [why, text, message] of [
  ['that is empty', '', NOT_COMPACT],
  ['of one part', 'abc', NOT_COMPACT],
  ['of two parts', 'abc.def', NOT_COMPACT],
  ['of four parts', `${token}.AA`, NOT_COMPACT],
  ['of five parts, an encrypted one', `${token}.AA.AA`, NOT_COMPACT],
  ['in JSON serialization', JSON.stringify({ payload: '', signatures: [] }), NOT_COMPACT],
  ['larger than 256 kB', 'a'.repeat(256 * 1024 + 1), 'token too large'],
  ['with padding in its header', token.replace('.', '=.'), 'header of the token is not base64url'],
  ['with white space', token.replace('.', '.\n'), 'payload of the token is not base64url'],
  ['in plain base64', `${token}+/`, 'signature of the token is not base64url'],
  ['with stray bits', token.replace(/AA$/, 'AB'), 'signature of the token is not base64url'],
  ['whose header is no JSON', tokenOf('{'), 'header of the token is not JSON'],
  [
    'whose header is no UTF-8',
    `${Buffer.from('7b22ff223a317d', 'hex').toString('base64url')}.AA.AA`,
    'header of the token is not JSON',
  ],
  ['whose header is an array', tokenOf('[]'), 'header of the token is not a JSON object'],
  ['whose header is null', tokenOf('null'), 'header of the token is not a JSON object'],
  ['without an algorithm', tokenOf('{}'), /^unexpected signature algorithm/],
  ['that is not signed', tokenOf('{"alg":"none"}'), 'unexpected signature algorithm "none"'],
  ['of HS256', tokenOf('{"alg":"HS256"}'), 'unexpected signature algorithm "HS256"'],
  ['of EdDSA', tokenOf('{"alg":"EdDSA"}'), 'unexpected signature algorithm "EdDSA"'],
  ['of ES256K', tokenOf('{"alg":"ES256K"}'), 'unexpected signature algorithm "ES256K"'],
  ['of an algorithm in lower case', tokenOf('{"alg":"es256"}'), /^unexpected signature algorithm/],
  ['of an inherited algorithm', tokenOf('{"alg":"toString"}'), /^unexpected signature algorithm/],
  ['of an algorithm that is no string', tokenOf('{"alg":["ES256"]}'), /^unexpected signature/],
  [
    'with critical extensions',
    tokenOf('{"alg":"ES256","crit":["b64"],"b64":false}'),
    'token header has critical extensions',
  ],
] as [string, string, string | RegExp][]) {
  test(`refuses a token ${why}`, () => {
    assert.throws(() => parseJws(text), { kind: 'invalid', message });
  });
}

for (const [why, length] of [
  ['nothing', 0],
  ['a byte too few', 63],
  ['a byte too many', 65],
  ['zeros', 64],
] as const) {
  test(`${why} is no ES256 signature`, async () => {
    const jws = { ...parseJws(token), signature: new Uint8Array(length) };
    assert.equal(await verifyJws(jws, keyFor('ES256').publicKey), false);
  });
}
