import { Fault } from '../base/fault.ts';
import type { Curve } from './curves.ts';
import { type DerReader, readWhole, unsigned } from './der/reader.ts';
import { Tag } from './der/tags.ts';
import {
  bitString,
  type Der,
  explicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
} from './der/writer.ts';
import {
  checkRsa,
  EC_PUBLIC_KEY,
  positive,
  RSA_ENCRYPTION,
  readAlgorithm,
  readCurve,
  subjectPublicKey,
  writeSpki,
} from './spki.ts';

/** A private key that was read and judged. */
export type ReadPkcs8 = {
  /** PKCS#8 of what the public key follows from. */
  readonly secret: Der;
  /** SubjectPublicKeyInfo DER of the public key written beside the private one, if there is one. */
  readonly claimed: Uint8Array | undefined;
  /** PKCS#8 as Go and OpenSSL write it: with the public key. */
  readonly complete: (spki: Uint8Array) => Der;
};

/** PrivateKeyInfo (RFC 5208 §5), or OneAsymmetricKey (RFC 5958 §2), of a kind that we use. */
export function readPkcs8(pkcs8: Uint8Array): ReadPkcs8 {
  const { algorithm, parameters, key } = readWhole(pkcs8, (r) => r.sequence(readInfo));
  if (algorithm === EC_PUBLIC_KEY) return readEcKey(key, readCurve(parameters));
  if (algorithm === RSA_ENCRYPTION) {
    if (parameters?.length !== 2 || parameters[0] !== Tag.NULL) {
      throw new Fault('invalid', 'RSA private key without NULL parameters');
    }
    return readRsaKey(key);
  }
  throw unsupported();
}

/** ECPrivateKey with its curve inside (RFC 5915 §3), as `openssl ecparam -genkey` writes it. */
export function pkcs8FromSec1(der: Uint8Array): Der {
  const { parameters } = readWhole(der, (r) => r.sequence(readSec1));
  if (parameters === undefined) throw new Fault('invalid', 'EC private key without its curve');
  return sequence(integer(0), sequence(oid(EC_PUBLIC_KEY), parameters), octetString(der));
}

/** RSAPrivateKey (RFC 8017 §A.1.2). */
export const pkcs8FromPkcs1 = (der: Uint8Array): Der =>
  sequence(integer(0), sequence(oid(RSA_ENCRYPTION), nullValue), octetString(der));

function readInfo(r: DerReader) {
  const version = r.smallInteger();
  if (version > 1) throw new Fault('invalid', 'PKCS#8 of an unknown version');
  const { algorithm, parameters } = r.sequence(readAlgorithm);
  const key = r.octetString();
  r.explicit(0, (attributes) => attributes.many((a) => a.element())); // Judged by nobody.
  if (version === 1) r.implicit(1); // The public key again; ours is computed.
  return { algorithm, parameters, key };
}

function readSec1(r: DerReader) {
  if (r.smallInteger() !== 1) throw new Fault('invalid', 'EC private key of an unknown version');
  return {
    scalar: r.octetString(),
    parameters: r.explicit(0, (p) => p.element()),
    point: r.explicit(1, (p) => p.bitString()),
  };
}

function readEcKey(key: Uint8Array, curve: Curve | undefined): ReadPkcs8 {
  if (curve === undefined) throw unsupported();
  const { scalar, parameters, point } = readWhole(key, (r) => r.sequence(readSec1));
  if (parameters !== undefined && readCurve(parameters) !== curve) {
    throw new Fault('invalid', 'EC private key of two different curves');
  }
  const value = unsigned(scalar);
  if (scalar.length > curve.bytes || value === 0n || value >= curve.n) {
    throw new Fault('invalid', 'EC private key out of its range');
  }
  const padded = new Uint8Array(curve.bytes); // Old writers leave out leading zeros.
  padded.set(scalar, curve.bytes - scalar.length);
  const write = (publicKey?: Der): Der =>
    sequence(
      integer(0),
      sequence(oid(EC_PUBLIC_KEY), oid(curve.oid)),
      octetString(sequence(integer(1), octetString(padded), publicKey)),
    );
  return {
    secret: write(),
    claimed: point && pointSpki(curve, point),
    complete: (spki) => write(explicit(1, bitString(subjectPublicKey(spki)))),
  };
}

function pointSpki(curve: Curve, point: Uint8Array): Der {
  if (point[0] !== 4 || point.length !== 1 + 2 * curve.bytes) {
    throw new Fault('invalid', 'EC private key with a malformed public key');
  }
  const coordinates = point.subarray(1);
  const [x, y] = [coordinates.subarray(0, curve.bytes), coordinates.subarray(curve.bytes)];
  return writeSpki({ kind: 'ec', curve, x, y });
}

function readRsaKey(key: Uint8Array): ReadPkcs8 {
  const [version, ...members] = readWhole(key, (r) =>
    r.sequence(
      (s) => [s.smallInteger(), ...Array.from({ length: 8 }, () => s.integerBytes())] as const,
    ),
  );
  if (version !== 0) throw new Fault('invalid', 'RSA private key of more than two primes');
  checkRsaMembers(members.map(positive));
  const secret = pkcs8FromPkcs1(key);
  return { secret, claimed: undefined, complete: () => secret };
}

/** RFC 8017 §3.2. A key whose parts disagree signs wrongly, and a wrong signature can give the key away. */
function checkRsaMembers(members: readonly Uint8Array[]): void {
  const modulus = members[0] ?? new Uint8Array();
  const [n = 0n, e = 0n, d = 0n, p = 0n, q = 0n, dp = 0n, dq = 0n, qInverse = 0n] =
    members.map(unsigned);
  if (e >= 2n ** 31n || !checkRsa(modulus, Number(e))) throw unsupported();
  const sound =
    p > 1n &&
    q > 1n &&
    d < n &&
    p * q === n &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    dp === d % (p - 1n) &&
    dq === d % (q - 1n) &&
    (qInverse * q) % p === 1n &&
    qInverse < p;
  if (!sound)
    throw new Fault('invalid', 'the members of the RSA private key do not belong together');
}

const unsupported = (): Fault =>
  new Fault(
    'invalid',
    'unsupported private key: use an EC key on P-256, P-384 or P-521, or an RSA key of 1024 to 16384 bits',
  );
