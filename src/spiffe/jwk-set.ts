import { Fault } from '../base/fault.ts';
import { publicKeyFromJwk } from '../crypto/jose/jwk.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import { firstJsonObject } from './first-json-object.ts';

/** A JWK set with SPIFFE's members (RFC 7517 §5, Trust Domain and Bundle §4.1). */
export type JwkSet = {
  /** undefined: absent or null. */
  readonly keys: readonly JwkEntry[] | undefined;
  readonly refreshHintSeconds: number;
  readonly sequenceNumber: bigint;
};

export type JwkEntry = {
  /** Empty if absent. */
  readonly use: string;
  /** Empty if absent. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo DER; undefined if it is of a type that we do not know. */
  readonly publicKey: Uint8Array | undefined;
  /** DER. */
  readonly certificates: readonly Uint8Array[];
};

/** No bundle that anyone runs comes near it; a JWK takes some hundred bytes. */
const MAX_KEYS = 10_000;
const MAX_SEQUENCE = 2n ** 64n - 1n;

export type JsonRecord = Readonly<Record<string, unknown>>;

/** The object at the start of the text, its sequence numbers as bigints. Throws 'invalid', or what JSON.parse throws. */
export function parseJwkDocument(json: string | Uint8Array): JsonRecord {
  const text = typeof json === 'string' ? json : Buffer.from(json).toString('utf8');
  return JSON.parse(firstJsonObject(text), keepSequence) as JsonRecord;
}

/** A key of unknown type is skipped, or refused. Unknown members are ignored. Throws 'invalid'. */
export function readJwkSet(
  document: JsonRecord,
  { skipsUnknown }: { readonly skipsUnknown: boolean },
): JwkSet {
  const keys = document['keys'] ?? undefined;
  if (keys !== undefined && !Array.isArray(keys)) throw wrongType('keys');
  if (keys !== undefined && keys.length > MAX_KEYS) {
    throw new Fault('invalid', `more than ${MAX_KEYS} keys`);
  }
  return {
    keys: keys?.map((key) => readKey(key, skipsUnknown)),
    refreshHintSeconds: integer(document, 'spiffe_refresh_hint'),
    sequenceNumber: sequence(document['spiffe_sequence'] ?? 0n),
  };
}

/** The sequence number has 64 bits, more than a number holds. */
function keepSequence(name: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  const isInteger = typeof value === 'number' && source !== undefined && /^\d+$/.test(source);
  return name === 'spiffe_sequence' && isInteger ? BigInt(source) : value;
}

function readKey(key: unknown, skipsUnknown: boolean): JwkEntry {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) throw wrongType('key');
  const jwk = key as JsonRecord;
  const publicKey = readPublicKey(jwk, skipsUnknown);
  return {
    use: string(jwk, 'use'),
    keyId: string(jwk, 'kid'),
    publicKey,
    certificates: readCertificates(jwk, publicKey),
  };
}

function readPublicKey(jwk: JsonRecord, skipsUnknown: boolean): Uint8Array | undefined {
  try {
    return publicKeyFromJwk(jwk);
  } catch (error) {
    const { kty } = jwk;
    const isOther = typeof kty === 'string' && !['', 'EC', 'RSA'].includes(kty);
    if (skipsUnknown && isOther) return undefined;
    throw error;
  }
}

/** The first certificate must be of that key (RFC 7517 §4.7). */
function readCertificates(jwk: JsonRecord, publicKey: Uint8Array | undefined): Uint8Array[] {
  const values = jwk['x5c'] ?? [];
  if (!Array.isArray(values)) throw wrongType('x5c');
  const certificates = values.map((value) => parseCertificate(base64(value)));
  const [first] = certificates;
  if (first && publicKey && Buffer.compare(first.spki, publicKey) !== 0) {
    throw new Fault('invalid', 'public keys in key and x5c fields do not match');
  }
  return certificates.map(({ der }) => der);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function base64(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !BASE64.test(value)) throw wrongType('x5c');
  return Buffer.from(value, 'base64');
}

function string(record: JsonRecord, name: string): string {
  const value = record[name] ?? '';
  if (typeof value !== 'string') throw wrongType(name);
  return value;
}

function integer(record: JsonRecord, name: string): number {
  const value = record[name] ?? 0;
  if (!Number.isSafeInteger(value)) throw wrongType(name);
  return value as number;
}

function sequence(value: unknown): bigint {
  if (typeof value !== 'bigint' || value > MAX_SEQUENCE) throw wrongType('spiffe_sequence');
  return value;
}

const wrongType = (name: string): Fault => new Fault('invalid', `"${name}" has the wrong type`);
