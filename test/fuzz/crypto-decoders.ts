import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { buildCsr, parseCsr } from '../../src/crypto/csr.ts';
import {
  bitString,
  boolean,
  characterString,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
} from '../../src/crypto/der/writer.ts';
import { jwkFromPublicKey, publicKeyFromJwk } from '../../src/crypto/jose/jwk.ts';
import { parseJws, readJsonObject, signJws } from '../../src/crypto/jose/jws.ts';
import { readPrivateKey, readPublicKey } from '../../src/crypto/keys.ts';
import { readPem, writePem } from '../../src/crypto/pem.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { nameDer, nameText, readName } from '../../src/crypto/x509/name.ts';
import { intermediateAuthority, leafOf, rootAuthority } from '../kit/certificates.ts';
import { sharedKey } from '../kit/keys.ts';

/** A decoder, valid inputs to start from, and what must hold of a value that it returns. */
export type Decoder = {
  readonly seeds: readonly Uint8Array[];
  /** Whether the seeds are DER, to be changed as such too. */
  readonly isDer: boolean;
  /** How often it is tried for one try of the others; computing a public key takes long. */
  readonly weight?: number;
  readonly decode: (input: Uint8Array) => void;
};

const text = (content: string): Uint8Array => new Uint8Array(Buffer.from(content));

const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const keys = await Promise.all([
  sharedKey('ec-p256'),
  sharedKey('ec-p384'),
  sharedKey('rsa-2048'),
  Promise.resolve(readPrivateKey(p521.privateKey.export({ format: 'der', type: 'pkcs8' }))),
]);
const spkis = keys.map((key) => key.publicKey.spki);
const root = await rootAuthority('root');
const authority = await intermediateAuthority(root, 'authority', {
  basicConstraints: { ca: true, pathLength: 3 },
});
const leaf = await leafOf(authority, 'spiffe://example.org/workload', {
  dnsNames: ['a.example.org', 'b.example.org'],
  notAfter: 3_000_000_000,
});
/** Not signed, but with everything in it that is read. */
const ornate = ornateCertificate();
const certificates = [...[root, authority, leaf].map(({ certificate }) => certificate.der), ornate];
const names = [
  nameDer([]),
  nameDer([
    ['C', 'US'],
    ['O', 'SPIRE', 'Zürich'],
    ['CN', 'a#, b'],
    ['1.2.3', 'x'],
  ]),
];
const csrs = await Promise.all(
  keys.map((key) => buildCsr({ subject: names[1], dnsNames: ['d'], uris: ['spiffe://a/b'] }, key)),
);
const [key] = keys;
const token = await signJws(
  { header: { kid: 'k', typ: 'JWT' }, payload: { sub: 'spiffe://a/b', aud: ['c'], exp: 1 } },
  key,
  'ES256',
);
const latin1 = (input: Uint8Array): string => Buffer.from(input).toString('latin1');

export const decoders: Readonly<Record<string, Decoder>> = {
  certificate: {
    isDer: true,
    seeds: certificates,
    decode: (input) => {
      const certificate = parseCertificate(input);
      assert.deepEqual(certificate.der, new Uint8Array(input));
      nameText(certificate.subject);
    },
  },
  CSR: {
    isDer: true,
    seeds: csrs,
    decode: (input) => {
      assert.deepEqual(parseCsr(input).der, new Uint8Array(input));
    },
  },
  'PKCS#8': {
    isDer: true,
    weight: 0.1,
    seeds: keys.map((one) => one.toPkcs8()),
    decode: (input) => {
      const read = readPrivateKey(input);
      assert.deepEqual(readPrivateKey(read.toPkcs8()).publicKey, read.publicKey);
    },
  },
  SPKI: {
    isDer: true,
    seeds: spkis,
    decode: (input) => {
      const { spki } = readPublicKey(input);
      createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }); // OpenSSL agrees.
      assert.deepEqual(publicKeyFromJwk(jwkFromPublicKey(spki)), spki);
    },
  },
  name: {
    isDer: true,
    seeds: names,
    decode: (input) => {
      readName(input);
      nameText(input);
    },
  },
  PEM: {
    isDer: false,
    seeds: [
      text(`filler\n${writePem('CERTIFICATE', certificates[0] ?? new Uint8Array())}`),
      text(
        writePem('A', text('b')).replace('\n', '\nX: y\n\n') + writePem('PRIVATE KEY', text('c')),
      ),
    ],
    decode: (input) => {
      const blocks = readPem(input);
      const written = blocks.map(({ type, der }) => writePem(type, der)).join('');
      assert.deepEqual(readPem(written), blocks);
    },
  },
  JWS: {
    isDer: false,
    seeds: [text(token), text('eyJhbGciOiJSUzI1NiJ9.e30.AA')],
    decode: (input) => {
      const jws = parseJws(latin1(input));
      const signature = Buffer.from(jws.signature).toString('base64url');
      assert.equal(`${latin1(jws.signingInput)}.${signature}`, latin1(input));
    },
  },
  JWK: {
    isDer: false,
    seeds: spkis.map((spki) => text(JSON.stringify(jwkFromPublicKey(spki)))),
    decode: (input) => {
      readPublicKey(publicKeyFromJwk(readJsonObject(input, 'the input')));
    },
  },
};

/** Signed things, of which no changed one may verify. */
export const signed = { csrs, token, key };

function ornateCertificate(): Uint8Array {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const generalNames = [
    implicit(1, text('a@b.c')),
    implicit(2, text('b.c')),
    implicit(6, text('spiffe://b.c/d')),
    implicit(7, Uint8Array.of(10, 0, 0, 1)),
    explicit(4, nameDer([['O', 'x']])),
  ];
  const subtrees = [
    ...generalNames.slice(0, 3),
    implicit(7, Uint8Array.of(10, 0, 0, 0, 255, 0, 0, 0)),
    explicit(4, nameDer([['O', 'x']])),
  ].map((base) => sequence(base));
  const extensions = [
    ['2.5.29.17', sequence(...generalNames)],
    ['2.5.29.30', sequence(explicit(0, ...subtrees), explicit(1, ...subtrees))],
    ['2.5.29.35', sequence(implicit(0, text('key')), explicit(1, explicit(4, nameDer([]))))],
    ['2.5.29.19', sequence(boolean(true), integer(5))],
    ['2.5.29.31', sequence()],
    ['1.2.3.4', integer(1)],
  ] as const;
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(2n ** 127n),
    algorithm,
    nameDer([['C', 'US']]),
    sequence(time(0), time(4_000_000_000)),
    sequence(setOf([sequence(oid('2.5.4.3'), characterString(0x1e, '\0a\0b'))])),
    keys[0].publicKey.spki,
    implicit(1, Uint8Array.of(0, 1)),
    explicit(
      3,
      sequence(
        ...extensions.map(([id, value]) => sequence(oid(id), boolean(true), octetString(value))),
      ),
    ),
  );
  return sequence(tbs, algorithm, bitString(text('signature')));
}
