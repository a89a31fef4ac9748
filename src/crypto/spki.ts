import { Fault } from '../base/fault.ts';
import { type Curve, curves, isOnCurve } from './curves.ts';
import { DerReader, readWhole, structureError, unsigned } from './der/reader.ts';
import { Tag } from './der/tags.ts';
import {
  bitString,
  type Der,
  integer,
  join,
  nullValue,
  oid,
  sequence,
  unsignedInteger,
} from './der/writer.ts';

export const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';

/** Smaller ones can be factored; what is larger OpenSSL does not take. */
const MIN_RSA_BITS = 1024;
const MAX_RSA_BITS = 16_384;

/** The members of a public key that we can use. */
export type PublicKeyParts =
  | { readonly kind: 'ec'; readonly curve: Curve; readonly x: Uint8Array; readonly y: Uint8Array }
  | { readonly kind: 'rsa'; readonly modulus: Uint8Array; readonly exponent: number };

/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), its algorithm not yet judged. */
type Spki = {
  readonly algorithm: string;
  /** DER of the algorithm's parameters; none: undefined. */
  readonly parameters: Uint8Array | undefined;
  readonly key: Uint8Array;
};

/** The members of a SubjectPublicKeyInfo; undefined if the key is sound but of a kind that we do not use. */
export function readSpki(spki: Uint8Array): PublicKeyParts | undefined {
  const { algorithm, parameters, key } = readWhole(spki, (r) => r.sequence(readInfo));
  switch (algorithm) {
    case EC_PUBLIC_KEY:
      return readEcKey(parameters, key);
    case RSA_ENCRYPTION:
      return readRsaKey(parameters, key);
    default:
      return undefined;
  }
}

/** The SubjectPublicKeyInfo of such a key, as Go and OpenSSL write it. */
export function writeSpki(parts: PublicKeyParts): Der {
  if (parts.kind === 'ec') {
    return sequence(
      sequence(oid(EC_PUBLIC_KEY), oid(parts.curve.oid)),
      bitString(join([Uint8Array.of(4), parts.x, parts.y])),
    );
  }
  return sequence(
    sequence(oid(RSA_ENCRYPTION), nullValue),
    bitString(sequence(unsignedInteger(parts.modulus), integer(parts.exponent))),
  );
}

/** The OID of its algorithm, whether we use it or not. */
export const spkiAlgorithm = (spki: Uint8Array): string =>
  readWhole(spki, (r) => r.sequence(readInfo)).algorithm;

/** The content of the public key's BIT STRING. */
export const subjectPublicKey = (spki: Uint8Array): Uint8Array =>
  readWhole(spki, (r) => r.sequence(readInfo)).key;

/** Judges an elliptic curve point that came from outside. */
export function checkPoint(curve: Curve, x: Uint8Array, y: Uint8Array): void {
  if (x.length !== curve.bytes || y.length !== curve.bytes || !isOnCurve(curve, x, y)) {
    throw new Fault('invalid', 'x509: invalid elliptic curve public key');
  }
}

/** Whether an RSA key of that modulus and exponent is one that we use; throws if it can be no key at all. */
export function checkRsa(modulus: Uint8Array, exponent: number): boolean {
  const last = modulus.at(-1) ?? 0;
  if ((last & 1) === 0) throw new Fault('invalid', 'x509: RSA modulus is not an odd number');
  if (exponent < 3 || exponent % 2 === 0) {
    throw new Fault('invalid', 'x509: RSA public exponent is not an odd number above 1');
  }
  const bits = bitLength(modulus);
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
}

/** The bits of a number without leading zero bytes. */
export const bitLength = (magnitude: Uint8Array): number =>
  magnitude.length * 8 - (Math.clz32(magnitude[0] ?? 0) - 24);

/** The AlgorithmIdentifier's members, then whatever follows it in an SPKI. */
function readInfo(r: DerReader): Spki {
  const { algorithm, parameters } = r.sequence(readAlgorithm);
  return { algorithm, parameters, key: r.bitString() };
}

/** AlgorithmIdentifier (RFC 5280 §4.1.1.2), inside its SEQUENCE. */
export const readAlgorithm = (
  r: DerReader,
): { algorithm: string; parameters: Uint8Array | undefined } => ({
  algorithm: r.oid(),
  parameters: r.atEnd ? undefined : r.element(),
});

/** RFC 5480 §2.1.1: a named curve. */
export function readCurve(parameters: Uint8Array | undefined): Curve | undefined {
  if (parameters === undefined) throw structureError('elliptic curve without parameters');
  const named = readWhole(parameters, (r) => r.oid());
  return curves.find((curve) => curve.oid === named);
}

/** RFC 5480 §2.2: an uncompressed point, as Go takes it. */
function readEcKey(parameters: Uint8Array | undefined, key: Uint8Array) {
  const curve = readCurve(parameters);
  if (curve === undefined) return undefined;
  const x = key.subarray(1, 1 + curve.bytes);
  const y = key.subarray(1 + curve.bytes);
  if (key[0] !== 4) throw new Fault('invalid', 'x509: invalid elliptic curve public key');
  checkPoint(curve, x, y);
  return { kind: 'ec', curve, x, y } as const;
}

/** RFC 3279 §2.3.1. */
function readRsaKey(parameters: Uint8Array | undefined, key: Uint8Array) {
  if (parameters?.length !== 2 || parameters[0] !== Tag.NULL) {
    throw new Fault('invalid', 'x509: RSA key missing NULL parameters');
  }
  return readWhole(key, (r) =>
    r.sequence((s) => {
      const modulus = positive(s.integerBytes());
      const exponent = readExponent(s.integerBytes());
      if (exponent === undefined) return undefined;
      return checkRsa(modulus, exponent)
        ? ({ kind: 'rsa', modulus, exponent } as const)
        : undefined;
    }),
  );
}

/** The magnitude of an INTEGER's content, which must be above zero. */
export function positive(content: Uint8Array): Uint8Array {
  const magnitude = content[0] === 0 ? content.subarray(1) : content;
  if ((content[0] ?? 0x80) >= 0x80 || magnitude.length === 0) {
    throw new Fault('invalid', 'x509: RSA modulus or exponent is not a positive number');
  }
  return magnitude;
}

/** Exponents over 31 bits make verification slow and are used by nobody: undefined. */
function readExponent(content: Uint8Array): number | undefined {
  const exponent = unsigned(positive(content));
  return exponent < 2n ** 31n ? Number(exponent) : undefined;
}
