import { Fault, reasonOf } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { type Jws, parseJws, verifyJws } from '../crypto/jose/jws.ts';
import { readPublicKey } from '../crypto/keys.ts';
import { jwtAuthority } from './bundle.ts';
import { type JsonObject, type JwtClaims, readJwtClaims } from './jwt-claims.ts';
import { SpiffeId } from './spiffe-id.ts';
import type { BundleSource } from './x509-svid.ts';

export type JwtSvid = {
  readonly token: string;
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly issuedAt: number | undefined;
  /** All claims, as they are in the token. */
  readonly claims: JsonObject;
};

/** Clocks differ; the reference allows as much on exp, nbf and iat. */
const LEEWAY_SECONDS = 60;

/** Two validators in use, alike but for their words: go-spiffe's, and that of SPIRE's Workload API. */
const validators = {
  client: {
    prefix: 'jwtsvid: ',
    checksType: true,
    invalidSubject: 'token has an invalid subject claim',
    noBundle: (trustDomain: string) => `no bundle found for trust domain ${goQuote(trustDomain)}`,
    noKey: (keyId: string, trustDomain: string) =>
      `no JWT authority ${goQuote(keyId)} found for trust domain ${goQuote(trustDomain)}`,
    badSignature:
      'unable to get claims from token: go-jose/go-jose: error in cryptographic primitive',
  },
  'workload-api': {
    prefix: '',
    checksType: false,
    invalidSubject: 'token has in invalid subject claim',
    noBundle: (trustDomain: string) => `no keys found for trust domain ${goQuote(trustDomain)}`,
    noKey: (keyId: string, trustDomain: string) =>
      `public key ${goQuote(keyId)} not found in trust domain ${goQuote(trustDomain)}`,
    badSignature: 'go-jose/go-jose: error in cryptographic primitive',
  },
};
export type JwtSvidValidator = keyof typeof validators;
type Validator = (typeof validators)[JwtSvidValidator];

/**
 * Verifies a token with the bundle of its subject's trust domain (JWT-SVID §§3–6). One of the audiences must be
 * among the token's; an empty list asks for none. Throws 'invalid' with the words of that validator, in its order.
 */
export async function verifyJwtSvid(
  token: string,
  bundleOf: BundleSource,
  audience: readonly string[],
  atUnixSeconds: number,
  validator: JwtSvidValidator = 'client',
): Promise<JwtSvid> {
  const rules = validators[validator];
  const { jws, claims, id } = parse(token, rules);
  await checkSignature(jws, id, bundleOf, rules);
  checkAudience(claims, audience, rules);
  checkTimes(claims, atUnixSeconds, rules);
  return jwtSvid(token, id, claims);
}

/** For a token that comes from a trusted place: all checks but those of key ID, bundle and signature. */
export function parseJwtSvidUnverified(
  token: string,
  audience: readonly string[],
  atUnixSeconds: number,
): JwtSvid {
  const { claims, id } = parse(token, validators.client);
  checkAudience(claims, audience, validators.client);
  checkTimes(claims, atUnixSeconds, validators.client);
  return jwtSvid(token, id, claims);
}

const jwtSvid = (token: string, id: SpiffeId, claims: ParsedClaims): JwtSvid => ({
  token,
  id,
  audience: claims.audience,
  expiresAt: claims.expiresAt,
  issuedAt: claims.issuedAt,
  claims: claims.all,
});

type ParsedClaims = JwtClaims & { readonly expiresAt: number };

function parse(token: string, rules: Validator): { jws: Jws; claims: ParsedClaims; id: SpiffeId } {
  const refuse = refusals(rules);
  const jws = attempt(() => parseJws(token), 'unable to parse JWT token', refuse);
  if (rules.checksType && ![undefined, 'JWT', 'JOSE'].includes(jws.header['typ'] as string)) {
    throw refuse('token header type not equal to either JWT or JOSE');
  }
  const claims = attempt(
    () => readJwtClaims(jws.payload),
    'unable to get claims from token',
    refuse,
  );
  const { subject, expiresAt } = claims;
  if (subject === '') throw refuse('token missing subject claim');
  if (expiresAt === undefined) throw refuse('token missing exp claim');
  const id = attempt(() => SpiffeId.parse(subject), rules.invalidSubject, refuse);
  return { jws, claims: { ...claims, expiresAt }, id };
}

async function checkSignature(
  jws: Jws,
  id: SpiffeId,
  bundleOf: BundleSource,
  rules: Validator,
): Promise<void> {
  const refuse = refusals(rules);
  const { kid } = jws.header;
  if (typeof kid !== 'string' || kid === '') throw refuse('token header missing key id');
  const bundle = bundleOf(id.trustDomain);
  if (bundle === undefined) throw refuse(rules.noBundle(id.trustDomain.name));
  const authority = jwtAuthority(bundle, kid);
  if (authority === undefined) throw refuse(rules.noKey(kid, id.trustDomain.name));
  if (!(await verifyJws(jws, readPublicKey(authority.publicKey)))) {
    throw refuse(rules.badSignature);
  }
}

function checkAudience(claims: JwtClaims, expected: readonly string[], rules: Validator): void {
  const refuse = refusals(rules);
  const found = expected.length === 0 ? claims.audience.length > 0 : intersect(expected, claims);
  if (!found) {
    throw refuse(
      `expected audience in ${quotedList(expected)} (audience=${quotedList(claims.audience)})`,
    );
  }
}

/** `at` is rounded down, so that the end of the leeway itself has passed. */
function checkTimes(claims: ParsedClaims, at: number, rules: Validator): void {
  const { notBefore, expiresAt, issuedAt } = claims;
  if (notBefore !== undefined && at + LEEWAY_SECONDS < notBefore) {
    throw new Fault('invalid', 'go-jose/go-jose/jwt: validation failed, token not valid yet (nbf)');
  }
  if (at - LEEWAY_SECONDS >= expiresAt) throw refusals(rules)('token has expired');
  if (issuedAt !== undefined && at + LEEWAY_SECONDS < issuedAt) {
    throw new Fault(
      'invalid',
      'go-jose/go-jose/jwt: validation field, token issued in the future (iat)',
    );
  }
}

const intersect = (expected: readonly string[], { audience }: JwtClaims): boolean =>
  expected.some((value) => audience.includes(value));

/** A list as Go's %q prints it. */
const quotedList = (values: readonly string[]): string => `[${values.map(goQuote).join(' ')}]`;

const refusals =
  ({ prefix }: Validator) =>
  (message: string, cause?: unknown): Fault =>
    new Fault('invalid', `${prefix}${message}`, { cause });

function attempt<T>(
  action: () => T,
  prefix: string,
  refuse: (message: string, cause?: unknown) => Fault,
): T {
  try {
    return action();
  } catch (error) {
    throw refuse(`${prefix}: ${reasonOf(error)}`, error);
  }
}
