import { Fault, reasonOf } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { type Jwk, jwkFromPublicKey } from '../crypto/jose/jwk.ts';
import { type Bundle, type KeyAuthority, x509AuthorityCertificates } from './bundle.ts';
import { type JsonRecord, type JwkEntry, parseJwkDocument, readJwkSet } from './jwk-set.ts';
import type { TrustDomain } from './trust-domain.ts';

/**
 * Reads a bundle document (Trust Domain and Bundle §4) as SPIRE does: a key that it does not know spoils the whole
 * document, and what follows the document is ignored (`reference/server.md` §10.2). Throws 'invalid'.
 */
export const readBundleDocument = (trustDomain: TrustDomain, json: string | Uint8Array): Bundle =>
  read(trustDomain, () => parseJwkDocument(json), readers.spire);

/** Reads it as the reference client does: a key of unknown type or use is skipped. Throws 'invalid'. */
export const readSpiffeBundle = (trustDomain: TrustDomain, json: string | Uint8Array): Bundle =>
  read(trustDomain, () => parseJwkDocument(json), readers.client);

/** The same, of a document that was parsed already. */
export const spiffeBundleOf = (trustDomain: TrustDomain, document: JsonRecord): Bundle =>
  read(trustDomain, () => document, readers.client);

export type BundleDocumentOptions = {
  /** Takes the place of the bundle's own hint. */
  readonly refreshHintSeconds?: number;
  /** What stands for no keys at all: SPIRE's null by default, which readers refuse. */
  readonly noKeys?: 'null' | '[]';
};

/**
 * The document, indented by four spaces, without a final newline; a number that is 0 is left out, and no
 * keys at all are null (`reference/cli.md` §4.7.1). Taint flags, expiry
 * and WIT keys are no part of it (`reference/server.md` §10.1).
 */
export function writeBundleDocument(bundle: Bundle, options: BundleDocumentOptions = {}): string {
  const refreshHint = options.refreshHintSeconds ?? bundle.refreshHintSeconds;
  const keys = [
    ...x509Keys(bundle),
    ...jwtKeys(bundle).map((key) => ({ use: 'jwt-svid', ...key })),
  ];
  const members = [
    `"keys": ${keys.length === 0 ? (options.noKeys ?? 'null') : indented(keys)}`,
    ...(bundle.sequenceNumber === 0n ? [] : [`"spiffe_sequence": ${bundle.sequenceNumber}`]),
    ...(refreshHint === 0 ? [] : [`"spiffe_refresh_hint": ${refreshHint}`]),
  ];
  return `{\n    ${members.join(',\n    ')}\n}`;
}

/** The plain JWK set of FetchJWTBundles: JWT keys without `use` (`reference/agent.md` §4.3). */
export const writeJwtKeySet = (bundle: Pick<Bundle, 'jwtAuthorities'>): string =>
  `{\n    "keys": ${indented(jwtKeys(bundle))}\n}`;

/** The key set of FetchWITBundles: consumers use only keys that say that they are for this (W-17, W-18). */
export const writeWitKeySet = (bundle: Pick<Bundle, 'witAuthorities'>): string =>
  `{\n    "keys": ${indented(keysOf(bundle.witAuthorities).map((key) => ({ use: 'wit-svid', ...key })))}\n}`;

type Reader = {
  readonly undecodable: (reason: string) => string;
  readonly requiresKeys: boolean;
  readonly skipsUnknown: boolean;
  readonly certificateCount: (index: number, count: number) => string;
  readonly missingKeyId: (use: 'jwt-svid' | 'wit-svid', index: number) => string;
};

const readers = {
  spire: {
    undecodable: (reason) => `failed to decode bundle: ${reason}`,
    requiresKeys: false,
    skipsUnknown: false,
    certificateCount: (index, count) =>
      `expected a single certificate in x509-svid entry ${index}; got ${count}`,
    missingKeyId: (use, index) => `missing key ID in ${use} entry ${index}`,
  },
  client: {
    undecodable: (reason) => `spiffebundle: unable to parse JWKS: ${reason}`,
    requiresKeys: true,
    skipsUnknown: true,
    certificateCount: (index, count) =>
      `spiffebundle: expected a single certificate in x509-svid entry ${index}; got ${count}`,
    missingKeyId: (use, index) =>
      `spiffebundle: error adding ${use === 'wit-svid' ? 'WIT ' : ''}authority ${index} of JWKS: keyID cannot be empty`,
  },
} satisfies Record<string, Reader>;

type Authorities = {
  x509: Uint8Array[];
  jwt: Map<string, KeyAuthority>;
  wit: Map<string, KeyAuthority>;
};

function read(trustDomain: TrustDomain, parse: () => JsonRecord, reader: Reader): Bundle {
  const document = decode(parse, reader);
  const authorities: Authorities = { x509: [], jwt: new Map(), wit: new Map() };
  for (const [index, key] of document.keys.entries()) addKey(authorities, key, index, reader);
  return {
    trustDomain,
    x509Authorities: authorities.x509.map((der) => ({ der, tainted: false })),
    jwtAuthorities: [...authorities.jwt.values()],
    witAuthorities: [...authorities.wit.values()],
    refreshHintSeconds: document.refreshHintSeconds,
    sequenceNumber: document.sequenceNumber,
  };
}

function decode(parse: () => JsonRecord, reader: Reader) {
  try {
    const document = readJwkSet(parse(), { skipsUnknown: reader.skipsUnknown });
    if (document.keys !== undefined) return { ...document, keys: document.keys };
    if (!reader.requiresKeys) return { ...document, keys: [] };
  } catch (error) {
    throw new Fault('invalid', reader.undecodable(reasonOf(error)), { cause: error });
  }
  throw new Fault('invalid', 'spiffebundle: no authorities found');
}

/** An X.509 authority that is there already changes nothing; a key under a known ID takes that one's place. */
function addKey(authorities: Authorities, key: JwkEntry, index: number, reader: Reader): void {
  switch (key.use) {
    case 'x509-svid':
      addCertificate(authorities.x509, key, index, reader);
      return;
    case 'jwt-svid':
    case 'wit-svid':
      addKeyAuthority(
        key.use === 'jwt-svid' ? authorities.jwt : authorities.wit,
        key,
        reader.missingKeyId(key.use, index),
      );
      return;
    default:
      if (reader.skipsUnknown) return;
      throw new Fault(
        'invalid',
        key.use === ''
          ? `missing use for key entry ${index}`
          : `unrecognized use ${goQuote(key.use)} for key entry ${index}`,
      );
  }
}

function addCertificate(known: Uint8Array[], key: JwkEntry, index: number, reader: Reader): void {
  const [certificate, ...others] = key.certificates;
  if (certificate === undefined || others.length > 0) {
    throw new Fault('invalid', reader.certificateCount(index, key.certificates.length));
  }
  if (!known.some((der) => Buffer.compare(der, certificate) === 0)) known.push(certificate);
}

function addKeyAuthority(known: Map<string, KeyAuthority>, key: JwkEntry, missing: string): void {
  const { keyId, publicKey } = key;
  if (keyId === '') throw new Fault('invalid', missing);
  if (publicKey === undefined) return;
  known.set(keyId, { publicKey, keyId, expiresAt: 0, tainted: false });
}

type WrittenKey = Jwk & { readonly use?: string; readonly kid?: string; readonly x5c?: string[] };

/** One key for each certificate, however they are stored. */
const x509Keys = (bundle: Bundle): WrittenKey[] =>
  x509AuthorityCertificates(bundle).map(({ der, spki }) => ({
    use: 'x509-svid',
    ...jwkFromPublicKey(spki),
    x5c: [Buffer.from(der).toString('base64')],
  }));

const jwtKeys = ({ jwtAuthorities }: Pick<Bundle, 'jwtAuthorities'>): WrittenKey[] =>
  keysOf(jwtAuthorities);

const keysOf = (authorities: readonly KeyAuthority[]): WrittenKey[] =>
  authorities.map(({ publicKey, keyId }) => ({ ...jwkFromPublicKey(publicKey), kid: keyId }));

/** The order in which go-jose writes members. */
const memberOrder = ['use', 'kty', 'kid', 'crv', 'x', 'y', 'n', 'e', 'x5c'] as const;

function indented(keys: readonly WrittenKey[]): string {
  const ordered = keys.map((key) =>
    Object.fromEntries(
      memberOrder.flatMap((member) => {
        const value = (key as Partial<Record<string, unknown>>)[member];
        return value === undefined ? [] : [[member, value]];
      }),
    ),
  );
  return JSON.stringify(ordered, undefined, 4).replaceAll('\n', '\n    ');
}
