/** Decoders of `crypto/` take time in proportion to their input, whatever shape it has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { parseCsr } from '../../src/crypto/csr.ts';
import {
  bitString,
  type Der,
  explicit,
  implicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  sequenceOf,
  setOf,
  time,
} from '../../src/crypto/der/writer.ts';
import { parseJws, readJsonObject } from '../../src/crypto/jose/jws.ts';
import { readPrivateKey } from '../../src/crypto/keys.ts';
import { readPem, writePem } from '../../src/crypto/pem.ts';
import { parseCertificate, parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { nameDer, nameText } from '../../src/crypto/x509/name.ts';
import { sharedKey } from '../kit/keys.ts';

const { spki } = (await sharedKey('ec-p256')).publicKey;
const ECDSA = sequence(oid('1.2.840.10045.4.3.2'));
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const octets = (text: string): Uint8Array => Buffer.from(text);

const certificate = (subject: Der, extensions: Der[]): Der => {
  const serial = integer(1);
  const validity = sequence(time(0), time(0));
  const field = explicit(3, sequenceOf(extensions));
  const tbs = sequence(
    explicit(0, integer(2)),
    serial,
    ECDSA,
    subject,
    validity,
    subject,
    spki,
    field,
  );
  return sequence(tbs, ECDSA, bitString(new Uint8Array(8)));
};
const extension = (id: string, value: Der): Der => sequence(oid(id), octetString(value));
const withExtension = (id: string, value: Der): Der =>
  certificate(nameDer([]), [extension(id, value)]);
const csr = (attributes: Der[]): Der =>
  sequence(
    sequence(integer(0), nameDer([]), spki, explicit(0, ...attributes)),
    ECDSA,
    bitString(new Uint8Array(8)),
  );
const certificateOf = (der: Der) => () => parseCertificate(der);
const latin1 = (text: string) => () => parseJws(text);

/** For a size, something that reads an input of about size × 12 bytes. */
const shapes: Record<string, (size: number) => () => unknown> = {
  'a certificate with many names': (n) =>
    certificateOf(
      withExtension('2.5.29.17', sequenceOf(many(n * 2, () => implicit(2, octets('a.b'))))),
    ),
  'a certificate with a long name': (n) =>
    certificateOf(withExtension('2.5.29.17', sequence(implicit(6, octets('a'.repeat(n * 12)))))),
  'a certificate with many extensions': (n) =>
    certificateOf(
      certificate(
        nameDer([]),
        many(n, (i) => extension(`1.2.${i}`, nullValue)),
      ),
    ),
  'a certificate with many uses': (n) =>
    certificateOf(withExtension('2.5.29.37', sequenceOf(many(n, (i) => oid(`1.2.3.${i}`))))),
  'a certificate with many constraints': (n) =>
    certificateOf(
      withExtension(
        '2.5.29.30',
        sequence(explicit(0, ...many(n, () => sequence(implicit(2, octets('a.b')))))),
      ),
    ),
  'a certificate with a long IP constraint': (n) =>
    certificateOf(
      withExtension(
        '2.5.29.30',
        sequence(explicit(0, sequence(implicit(7, new Uint8Array(n * 12).fill(255))))),
      ),
    ),
  'a certificate with a long key usage': (n) =>
    certificateOf(withExtension('2.5.29.15', bitString(new Uint8Array(n * 12)))),
  'a certificate with a long subject': (n) =>
    certificateOf(certificate(nameDer(many(n / 2, (i) => ['CN', `${i}`] as const)), [])),
  'a certificate with a long attribute': (n) =>
    certificateOf(certificate(nameDer([['CN', 'a '.repeat(n * 3)]]), [])),
  'a certificate with a wide RDN': (n) =>
    certificateOf(certificate(nameDer([['OU', ...many(n / 2, (i) => `${i}`)]]), [])),
  'many certificates': (n) => {
    const der = Buffer.concat(many(n / 16, () => certificate(nameDer([]), [])));
    return () => parseCertificates(der);
  },
  'a certificate that is nested': (n) => {
    let der: Der = nullValue;
    for (let i = 0; i < n; i++) der = sequence(der);
    return certificateOf(der);
  },
  'the text of a name': (n) => {
    const der = nameDer(many(n / 2, () => ['O', ', "'] as const));
    return () => nameText(der);
  },
  'a request with many attributes': (n) => {
    const der = csr(many(n, (i) => sequence(oid(`1.2.${i}`), setOf([]))));
    return () => parseCsr(der);
  },
  'a key with many attributes': (n) => {
    const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'));
    const attributes = explicit(0, ...many(n * 2, () => setOf([])));
    const der = sequence(integer(0), algorithm, octetString(nullValue), attributes);
    return () => readPrivateKey(der);
  },
  'a PEM text of many blocks': (n) => {
    const pem = many(n / 4, () => writePem('A', octets('b'))).join('');
    return () => readPem(pem);
  },
  'a PEM text without blocks': (n) => () => readPem('-----BEGI\n'.repeat(n)),
  'a PEM text of dashes': (n) => () => readPem('-'.repeat(n * 12)),
  'a PEM text that begins in every line, wrongly': (n) => () =>
    readPem(' -----BEGIN A-----\n'.repeat(n)),
  'a PEM block of dashes': (n) => () => readPem(`-----BEGIN A-----\nA${'-'.repeat(n * 12)}`),
  'a PEM block of empty lines': (n) => () =>
    readPem(`-----BEGIN A-----\n${'\n'.repeat(n * 12)}-----END A-----`),
  'a PEM block of headers': (n) => () =>
    readPem(`-----BEGIN A-----\n${'X: y\n'.repeat(n)}\nAAAA\n-----END A-----`),
  'a PEM block of spaces': (n) => () => readPem(`-----BEGIN A-----\n${' '.repeat(n * 12)}x`),
  'a token of dots': (n) => latin1('.'.repeat(n * 12)),
  'a token with a long header': (n) => latin1(`${'A'.repeat(n * 12)}.AA.AA`),
  'a token with a long payload': (n) =>
    latin1(`${btoa('{"alg":"ES256"}')}.${'A'.repeat(n * 12)}.AA`),
  'JSON that is nested': (n) => () => readJsonObject(octets('['.repeat(n * 12)), 'x'),
  'JSON with many members': (n) => {
    const json = octets(`{${many(n, (i) => `"${i}":1`).join()}}`);
    return () => readJsonObject(json, 'x');
  },
};

const SMALL = 500;
const FACTOR = 16;

/** The best of several runs, in milliseconds; other processes only ever make it longer. */
function milliseconds(read: () => unknown): number {
  let best = Infinity;
  for (let run = 0; run < 15; run++) {
    const started = performance.now();
    try {
      read();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

for (const [shape, make] of Object.entries(shapes)) {
  test(`${shape} takes no more than its size in time`, (t) => {
    const small = milliseconds(make(SMALL));
    const large = milliseconds(make(SMALL * FACTOR));
    t.diagnostic(`${small.toFixed(3)} ms, ${FACTOR} times the size ${large.toFixed(3)} ms`);
    // A quadratic one would take 256 times as long; what is measured is a few microseconds at the small end.
    assert.ok(large < (small + 0.05) * FACTOR * 4, `${small} ms became ${large} ms`);
  });
}
