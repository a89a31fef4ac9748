import assert from 'node:assert/strict';
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { sharedKey } from '../../test/kit/keys.ts';
import { curves } from './curves.ts';
import { readWhole } from './der/reader.ts';
import { bitString, integer, nullValue, octetString, oid, sequence } from './der/writer.ts';
import {
  type KeyType,
  keyTypeOf,
  keyTypes,
  readPrivateKey,
  readPrivateKeyPem,
  readPublicKey,
  subjectKeyId,
  verifyPss,
  verifySignature,
} from './keys.ts';
import { readPem, writePem } from './pem.ts';
import { writeSpki } from './spki.ts';

const message = Buffer.from('the message');
const types = Object.keys(keyTypes) as KeyType[];
const hashes = ['sha256', 'sha384', 'sha512'] as const;

for (const type of types) {
  test(`a key of type ${type} signs, is written and read again`, async () => {
    const key = await sharedKey(type);
    assert.equal(keyTypeOf(key.publicKey), type);
    const again = readPrivateKey(key.toPkcs8());
    assert.deepEqual(again.publicKey, key.publicKey);
    assert.deepEqual(again.toPkcs8(), key.toPkcs8());
    assert.deepEqual(readPublicKey(key.publicKey.spki), key.publicKey);
    for (const hash of hashes) {
      const signature = await again.sign(message, hash);
      assert.equal(await verifySignature(key.publicKey, hash, message, signature), true);
      const other = hash === 'sha256' ? 'sha384' : 'sha256';
      assert.equal(await verifySignature(key.publicKey, other, message, signature), false);
      assert.equal(await verifySignature(key.publicKey, hash, Buffer.from('no'), signature), false);
    }
  });
}

for (const [kind, make] of [
  ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['RSA-1024', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
  ['RSA-3072', () => generateKeyPairSync('rsa', { modulusLength: 3072 })],
] as const) {
  test(`keys of ${kind} are not made, but are read and used`, async () => {
    const { privateKey, publicKey } = make();
    const key = readPrivateKey(privateKey.export({ format: 'der', type: 'pkcs8' }));
    assert.equal(keyTypeOf(key.publicKey), undefined);
    assert.deepEqual(
      Buffer.from(key.publicKey.spki),
      publicKey.export({ format: 'der', type: 'spki' }),
    );
    const signature = await key.sign(message, 'sha256');
    assert.equal(await verifySignature(key.publicKey, 'sha256', message, signature), true);
  });
}

test('PSS signatures verify as such, and only with a salt as long as the hash', async () => {
  const key = await sharedKey('rsa-2048');
  const own = createPrivateKey({ key: Buffer.from(key.toPkcs8()), format: 'der', type: 'pkcs8' });
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  for (const hash of hashes) {
    const signature = await key.signPss(message, hash);
    const long = sign(hash, message, { key: own, padding });
    assert.equal(await verifyPss(key.publicKey, hash, message, signature), true);
    assert.equal(await verifyPss(key.publicKey, hash, message, long), false);
    assert.equal(await verifySignature(key.publicKey, hash, message, signature), false);
  }
});

test('a key that cannot hold a PSS signature neither makes nor accepts one', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const key = readPrivateKey(privateKey.export({ format: 'der', type: 'pkcs8' }));
  await assert.rejects(key.signPss(message, 'sha512'), { kind: 'invalid' });
  assert.equal(await verifyPss(key.publicKey, 'sha512', message, new Uint8Array(128)), false);
  const ec = await sharedKey('ec-p256');
  await assert.rejects(ec.signPss(message, 'sha256'), { kind: 'invalid' });
  assert.equal(await verifyPss(ec.publicKey, 'sha256', message, new Uint8Array(64)), false);
});

for (const [what, type] of [
  ['ECDSA', 'ec-p256'],
  ['RSA', 'rsa-2048'],
] as const) {
  for (const [why, signature] of [
    ['nothing', ''],
    ['a stray byte', '00'],
    ['r = s = 0', '3006020100020100'],
    ['an endless length', '3084ffffffff'],
    ['as many zeros as a signature has', '00'.repeat(256)],
    ['more than a signature has', 'ff'.repeat(257)],
  ] as const) {
    test(`${why} is no ${what} signature`, async () => {
      const { publicKey } = await sharedKey(type);
      const bytes = Buffer.from(signature, 'hex');
      assert.equal(await verifySignature(publicKey, 'sha256', message, bytes), false);
    });
  }
}

test('a key of the reference is read and written byte for byte', async () => {
  const pem = await readFile(new URL('../../test/data/svid/svid.0.key', import.meta.url));
  const key = readPrivateKeyPem(pem);
  assert.equal(writePem('PRIVATE KEY', key.toPkcs8()), pem.toString());
});

test('the key identifier is the SHA-1 of the key without its frame', async () => {
  const spki = Buffer.from(
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDrE3VxLjcZRPht9W5WuPkC4nuXo8fjUfCzZzKcztSfNPkGgh/LOIU9ZllwgoOwQRFYwjQZJUO36Wc6zErI5UGw==',
    'base64',
  );
  assert.equal(
    Buffer.from(subjectKeyId(spki)).toString('hex'),
    'f332a694d861b73bd65985b5d102e51461fde84a',
  );
});

for (const [type, options] of [
  ['EC PRIVATE KEY', { format: 'der', type: 'sec1' }],
  ['RSA PRIVATE KEY', { format: 'der', type: 'pkcs1' }],
] as const) {
  test(`a PEM block ${type} is read`, () => {
    const { privateKey, publicKey } =
      options.type === 'sec1'
        ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = privateKey.export({ ...options, type: options.type as 'pkcs1' });
    const key = readPrivateKeyPem(writePem(type, der));
    assert.deepEqual(
      Buffer.from(key.publicKey.spki),
      publicKey.export({ format: 'der', type: 'spki' }),
    );
  });
}

test('a private key is not looked for in other PEM texts', () => {
  assert.throws(() => readPrivateKeyPem('nothing'), { kind: 'invalid', message: 'no PEM blocks' });
  assert.throws(() => readPrivateKeyPem(writePem('CERTIFICATE', integer(1))), {
    kind: 'invalid',
    message: 'expected a private key; got "CERTIFICATE"',
  });
});

const EC = oid('1.2.840.10045.2.1');
const P256 = oid('1.2.840.10045.3.1.7');
const RSA = sequence(oid('1.2.840.113549.1.1.1'), nullValue);
const [p256] = curves;
assert.ok(p256);
const point = (x: bigint, y: bigint): Uint8Array =>
  Buffer.from(`04${[x, y].map((c) => c.toString(16).padStart(64, '0')).join('')}`, 'hex');
const generator = point(
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
);
const ecSpki = (parameters: Uint8Array, key: Uint8Array) =>
  sequence(sequence(EC, parameters), bitString(key));
const rsaSpki = (modulus: bigint, exponent: number | bigint) =>
  sequence(RSA, bitString(sequence(integer(modulus), integer(exponent))));
const oddModulus = (bits: number): bigint => 2n ** BigInt(bits - 1) + 1n;

test('the generator of a curve is a public key', () => {
  assert.equal(readPublicKey(ecSpki(P256, generator)).kind, 'ec-p256');
});

const INVALID_POINT = 'x509: invalid elliptic curve public key';
const UNSUPPORTED = /^unsupported public key: use an EC key on P-256/;

for (const [why, spki, text] of [
  ['on no curve', ecSpki(P256, point(1n, 1n)), INVALID_POINT],
  ['with x beyond the field', ecSpki(P256, point(p256.p + 5n, 1n)), INVALID_POINT],
  ['with y beyond the field', ecSpki(P256, point(5n, p256.p + 1n)), INVALID_POINT],
  ['at infinity', ecSpki(P256, Uint8Array.of(0)), INVALID_POINT],
  ['of no bytes', ecSpki(P256, new Uint8Array()), INVALID_POINT],
  [
    'in the compressed form',
    ecSpki(P256, Uint8Array.of(3, ...generator.subarray(1, 33))),
    INVALID_POINT,
  ],
  ['with a byte too few', ecSpki(P256, generator.subarray(0, 64)), INVALID_POINT],
  ['with a byte too many', ecSpki(P256, Uint8Array.of(...generator, 0)), INVALID_POINT],
  ['of another curve', ecSpki(oid('1.3.132.0.34'), generator), INVALID_POINT],
  ['on P-224', ecSpki(oid('1.3.132.0.33'), new Uint8Array(57)), UNSUPPORTED],
  ['on secp256k1', ecSpki(oid('1.3.132.0.10'), generator), UNSUPPORTED],
  [
    'with explicit curve parameters',
    ecSpki(sequence(integer(1)), generator),
    /^asn1: structure error: tags don't match/,
  ],
  [
    'without curve parameters',
    sequence(sequence(EC), bitString(generator)),
    'asn1: structure error: elliptic curve without parameters',
  ],
  [
    'with more than parameters',
    sequence(sequence(EC, P256, nullValue), bitString(generator)),
    'asn1: syntax error: trailing data',
  ],
  [
    'of Ed25519',
    sequence(sequence(oid('1.3.101.112')), bitString(new Uint8Array(32))),
    UNSUPPORTED,
  ],
  ['of RSA-1016', rsaSpki(oddModulus(1016), 65537), UNSUPPORTED],
  ['of RSA-16392', rsaSpki(oddModulus(16392), 65537), 'asn1: structure error: integer too large'],
  ['of RSA with a modulus of 0', rsaSpki(0n, 3), /not a positive number/],
  ['of RSA with a negative modulus', rsaSpki(-5n, 3), /not a positive number/],
  ['of RSA with an even modulus', rsaSpki(2n ** 2047n, 3), /modulus is not an odd number/],
  ['of RSA with exponent 1', rsaSpki(oddModulus(2048), 1), /exponent is not an odd number/],
  ['of RSA with exponent 0', rsaSpki(oddModulus(2048), 0), /not a positive number/],
  ['of RSA with an even exponent', rsaSpki(oddModulus(2048), 4), /exponent is not an odd number/],
  ['of RSA with an exponent of 2³²', rsaSpki(oddModulus(2048), 2n ** 32n + 1n), UNSUPPORTED],
  [
    'of RSA without NULL',
    sequence(
      sequence(oid('1.2.840.113549.1.1.1')),
      bitString(sequence(integer(oddModulus(2048)), integer(3))),
    ),
    'x509: RSA key missing NULL parameters',
  ],
  ['of RSA that is no sequence', sequence(RSA, bitString(integer(1))), /tags don't match/],
  ['that is empty', new Uint8Array(), 'asn1: syntax error: sequence truncated'],
  [
    'followed by a byte',
    Uint8Array.of(...ecSpki(P256, generator), 0),
    'asn1: syntax error: trailing data',
  ],
] as const) {
  test(`refuses a public key ${why}`, () => {
    assert.throws(() => readPublicKey(spki), { kind: 'invalid', message: text });
  });
}

test('a public key is its own copy', () => {
  const spki = ecSpki(P256, generator);
  const key = readPublicKey(spki);
  spki.fill(0);
  assert.deepEqual(key.spki, ecSpki(P256, generator));
});

test('public keys read by OpenSSL are written as it writes them', async () => {
  for (const type of types) {
    const { spki } = (await sharedKey(type)).publicKey;
    const own = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    assert.deepEqual(own.export({ format: 'der', type: 'spki' }), Buffer.from(spki));
  }
});

const pkcs8 = (algorithm: Uint8Array, key: Uint8Array, version = 0): Uint8Array =>
  sequence(integer(version), algorithm, octetString(key));
const scalar = (value: bigint): Uint8Array =>
  octetString(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'));
const sec1 = (...members: Uint8Array[]): Uint8Array => sequence(integer(1), ...members);
const explicitPoint = (key: Uint8Array): Uint8Array => {
  const bits = bitString(key);
  return Uint8Array.of(0xa1, bits.length, ...bits);
};
const explicitCurve = (curve: Uint8Array): Uint8Array =>
  Uint8Array.of(0xa0, curve.length, ...curve);

test('an EC private key may leave out what follows from it, and its leading zeros', () => {
  for (const key of [
    sec1(scalar(1n)),
    sec1(octetString(Uint8Array.of(1))),
    sec1(scalar(1n), explicitCurve(P256), explicitPoint(generator)),
  ]) {
    assert.deepEqual(
      readPrivateKey(pkcs8(sequence(EC, P256), key)).publicKey.spki,
      ecSpki(P256, generator),
    );
  }
});

const rsaKey = (): bigint[] => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return readWhole(privateKey.export({ format: 'der', type: 'pkcs1' }), (r) =>
    r.sequence((s) => s.many((one) => one.integer())),
  );
};
const rsaPkcs8 = (members: readonly bigint[]): Uint8Array =>
  pkcs8(RSA, sequence(...members.map(integer)));
const rsaMembers = rsaKey();

test('the members of an RSA private key are read as they are', () => {
  assert.equal(readPrivateKey(rsaPkcs8(rsaMembers)).publicKey.bits, 1024);
});

const rsaMemberNames = ['n', 'e', 'd', 'p', 'q', 'd mod p-1', 'd mod q-1', 'q⁻¹ mod p'];
for (const [index, name] of rsaMemberNames.entries()) {
  test(`refuses an RSA private key with another ${name}`, () => {
    const members = rsaMembers.with(index + 1, (rsaMembers[index + 1] ?? 0n) + 2n);
    assert.throws(() => readPrivateKey(rsaPkcs8(members)), { kind: 'invalid' });
  });
}

for (const [why, key, text] of [
  ['of 0', pkcs8(sequence(EC, P256), sec1(scalar(0n))), /out of its range/],
  ['as large as the order', pkcs8(sequence(EC, P256), sec1(scalar(p256.n))), /out of its range/],
  ['too long', pkcs8(sequence(EC, P256), sec1(octetString(new Uint8Array(33).fill(1)))), /range/],
  [
    'of two curves',
    pkcs8(sequence(EC, P256), sec1(scalar(1n), explicitCurve(oid('1.3.132.0.34')))),
    /two different curves/,
  ],
  [
    'with the public key of another',
    pkcs8(sequence(EC, P256), sec1(scalar(2n), explicitPoint(generator))),
    /does not belong to the private key/,
  ],
  [
    'with a public key that is none',
    pkcs8(sequence(EC, P256), sec1(scalar(1n), explicitPoint(Uint8Array.of(4, 1)))),
    /malformed public key/,
  ],
  ['of an unknown version', pkcs8(sequence(EC, P256), sec1(scalar(1n)), 2), /unknown version/],
  [
    'inside of an unknown version',
    pkcs8(sequence(EC, P256), sequence(integer(2), scalar(1n))),
    /unknown version/,
  ],
  ['on P-224', pkcs8(sequence(EC, oid('1.3.132.0.33')), sec1(scalar(1n))), /^unsupported/],
  [
    'of Ed25519',
    pkcs8(sequence(oid('1.3.101.112')), octetString(new Uint8Array(32))),
    /^unsupported/,
  ],
  ['of RSA with three primes', rsaPkcs8(rsaMembers.with(0, 1n)), /more than two primes/],
  ['of RSA with too few members', rsaPkcs8(rsaMembers.slice(0, 8)), /sequence truncated/],
  ['of RSA with p = 1', rsaPkcs8(rsaMembers.with(4, 1n)), /do not belong together/],
  ['of RSA with a negative prime', rsaPkcs8(rsaMembers.with(4, -3n)), /not a positive number/],
  [
    'of RSA without NULL',
    pkcs8(sequence(oid('1.2.840.113549.1.1.1')), sequence(...rsaMembers.map(integer))),
    /without NULL/,
  ],
  [
    'that is encrypted',
    sequence(sequence(oid('1.2.840.113549.1.5.13')), octetString(scalar(1n))),
    /tags/,
  ],
  ['that is empty', new Uint8Array(), 'asn1: syntax error: sequence truncated'],
] as const) {
  test(`refuses a private key ${why}`, () => {
    assert.throws(() => readPrivateKey(key), { kind: 'invalid', message: text });
  });
}

test('a SEC 1 key without its curve is refused', () => {
  assert.throws(() => readPrivateKeyPem(writePem('EC PRIVATE KEY', sec1(scalar(1n)))), {
    kind: 'invalid',
    message: 'EC private key without its curve',
  });
});

test('the encoding of RSA keys does not depend on the sign bit', () => {
  const modulus = Buffer.from(oddModulus(1032).toString(16), 'hex');
  const parts = { kind: 'rsa', modulus, exponent: 65537 } as const;
  assert.deepEqual(writeSpki(parts), rsaSpki(oddModulus(1032), 65537));
});

test('readPem gives the DER that OpenSSL reads', async () => {
  const pem = await readFile(new URL('../../test/data/svid/key.pem', import.meta.url), 'utf8');
  const [block] = readPem(pem);
  assert.deepEqual(
    Buffer.from(readPrivateKey(block?.der ?? new Uint8Array()).publicKey.spki),
    createPublicKey(pem).export({ format: 'der', type: 'spki' }),
  );
});
