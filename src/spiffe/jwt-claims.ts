import { Fault } from '../base/fault.ts';
import type { SpiffeId } from './spiffe-id.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

/** The claims that validators look at (RFC 7519 §4.1). */
export type JwtClaims = {
  /** Empty if absent. */
  readonly subject: string;
  /** Empty if absent. */
  readonly audience: readonly string[];
  /** Unix seconds. */
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
  readonly issuedAt: number | undefined;
  readonly all: JsonObject;
};

/** Reads a JWT's payload. Throws 'invalid' where it is no JSON object or a claim has the wrong type. */
export function readJwtClaims(payload: Uint8Array): JwtClaims {
  const all = readObject(payload);
  return {
    subject: optionalString(all, 'sub') ?? '',
    audience: audienceOf(all),
    expiresAt: numericDate(all, 'exp'),
    notBefore: numericDate(all, 'nbf'),
    issuedAt: numericDate(all, 'iat'),
    all,
  };
}

export type JwtSvidClaims = {
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  /** Unix seconds, whole. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly issuer?: string | undefined;
  readonly jti?: string | undefined;
};

/**
 * The claims of a JWT-SVID to be signed, in alphabetical order (`reference/server.md` §7.3). Throws 'invalid' where
 * no audience is left without the empty ones.
 */
export function jwtSvidClaims(claims: JwtSvidClaims): JsonObject {
  const audience = claims.audience.filter((value) => value !== '');
  if (audience.length === 0) {
    throw new Fault('invalid', 'invalid JWT-SVID audience: cannot be empty');
  }
  return {
    aud: audience,
    exp: claims.expiresAt,
    iat: claims.issuedAt,
    ...(claims.issuer && { iss: claims.issuer }),
    ...(claims.jti && { jti: claims.jti }),
    sub: claims.id.toString(),
  };
}

function readObject(payload: Uint8Array): JsonObject {
  const value = parseJson(payload);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('invalid', 'claims are not a JSON object');
  }
  return value as JsonObject;
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    throw new Fault('invalid', 'claims are not JSON', { cause: error });
  }
}

function optionalString(claims: JsonObject, name: string): string | undefined {
  const value = own(claims, name);
  if (value === undefined || typeof value === 'string') return value;
  throw wrongType(name);
}

/** One string, or a list of strings (RFC 7519 §4.1.3). */
function audienceOf(claims: JsonObject): readonly string[] {
  const value = own(claims, 'aud') ?? [];
  const values = Array.isArray(value) ? value : [value];
  if (!values.every((item) => typeof item === 'string')) throw wrongType('aud');
  return values;
}

function numericDate(claims: JsonObject, name: string): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrongType(name);
  return Math.trunc(value);
}

/** A null counts as absent, as in Go. */
function own(claims: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(claims, name) ? (claims[name] ?? undefined) : undefined;
}

const wrongType = (name: string): Fault =>
  new Fault('invalid', `the claim "${name}" has the wrong type`);
