import { Fault } from '../../base/fault.ts';
import { type Curve, curves } from '../curves.ts';
import { unsigned } from '../der/reader.ts';
import { checkPoint, checkRsa, type PublicKeyParts, readSpki, writeSpki } from '../spki.ts';
import { base64url, readBase64url } from './base64url.ts';

/** RFC 7518 §6.2.1. */
export type EcJwk = {
  readonly kty: 'EC';
  readonly crv: Curve['jwkName'];
  readonly x: string;
  readonly y: string;
};
/** RFC 7518 §6.3.1. */
export type RsaJwk = { readonly kty: 'RSA'; readonly n: string; readonly e: string };
/** The members of a public key; `use`, `kid` and `alg` are for the caller to add. */
export type Jwk = EcJwk | RsaJwk;

/** Room for an RSA-16384 modulus in base64url. */
const MAX_MEMBER_LENGTH = 2736;

/** The JWK of a SubjectPublicKeyInfo. Throws 'invalid' for a key that we do not use. */
export function jwkFromPublicKey(spki: Uint8Array): Jwk {
  const parts = readSpki(spki);
  if (parts === undefined) throw new Fault('invalid', 'unsupported public key');
  if (parts.kind === 'rsa') {
    return { kty: 'RSA', n: base64url(parts.modulus), e: base64url(exponentBytes(parts.exponent)) };
  }
  const { curve, x, y } = parts;
  return { kty: 'EC', crv: curve.jwkName, x: base64url(x), y: base64url(y) };
}

/**
 * The SubjectPublicKeyInfo of a JWK. Reads the members of the key itself and no others. Throws 'invalid' if they are
 * malformed, or for a key that we do not use.
 */
export function publicKeyFromJwk(jwk: Readonly<Record<string, unknown>>): Uint8Array {
  const read = typeof jwk['kty'] === 'string' ? keyTypes.get(jwk['kty']) : undefined;
  if (read === undefined)
    throw new Fault('invalid', `unknown json web key type '${shown(jwk['kty'])}'`);
  return writeSpki(read(jwk));
}

const keyTypes: ReadonlyMap<string, (jwk: Readonly<Record<string, unknown>>) => PublicKeyParts> =
  new Map([
    ['EC', readEc],
    ['RSA', readRsa],
  ]);

/** Coordinates are as long as the field (RFC 7518 §6.2.1.2). */
function readEc(jwk: Readonly<Record<string, unknown>>): PublicKeyParts {
  const curve = curves.find(({ jwkName }) => jwkName === jwk['crv']);
  if (curve === undefined) {
    throw new Fault('invalid', `unsupported elliptic curve '${shown(jwk['crv'])}'`);
  }
  const [x, y] = [member(jwk, 'x'), member(jwk, 'y')];
  checkPoint(curve, x, y);
  return { kind: 'ec', curve, x, y };
}

/** Zeros in front, against RFC 7518 §2 (Base64urlUInt), are let pass as Go does: some libraries write one. */
function readRsa(jwk: Readonly<Record<string, unknown>>): PublicKeyParts {
  const modulus = withoutZeros(member(jwk, 'n'));
  const exponent = unsigned(member(jwk, 'e'));
  if (exponent >= 2n ** 31n || !checkRsa(modulus, Number(exponent))) {
    throw new Fault('invalid', 'unsupported RSA key: use one of 1024 to 16384 bits');
  }
  return { kind: 'rsa', modulus, exponent: Number(exponent) };
}

function member(jwk: Readonly<Record<string, unknown>>, name: string): Uint8Array {
  const value = jwk[name];
  if (typeof value !== 'string' || value === '' || value.length > MAX_MEMBER_LENGTH) {
    throw new Fault('invalid', `invalid json web key: member '${name}' is missing or malformed`);
  }
  return readBase64url(value, `member '${name}' of the json web key`);
}

/** What is no text shows as none. */
const shown = (value: unknown): string => (typeof value === 'string' ? value : '');

const exponentBytes = (exponent: number): Uint8Array =>
  withoutZeros(Uint8Array.of(exponent >>> 24, exponent >>> 16, exponent >>> 8, exponent));

function withoutZeros(magnitude: Uint8Array): Uint8Array {
  const start = magnitude.findIndex((byte) => byte !== 0);
  return start === -1 ? new Uint8Array() : magnitude.subarray(start);
}
