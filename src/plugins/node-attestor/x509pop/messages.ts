import { Fault } from '../../../base/fault.ts';

/** The conversation of x509pop in JSON, as Go reads and writes it (`reference/node-attestation.md` §§1, 4.3). */
export type ChallengeKind = 'rsa' | 'ecdsa';
export type Challenge = { readonly kind: ChallengeKind; readonly nonce: Uint8Array };
export type RsaResponse = { readonly nonce: Uint8Array; readonly signature: Uint8Array };
export type EcdsaResponse = {
  readonly nonce: Uint8Array;
  /** Unsigned, big-endian, without leading zeros. */
  readonly r: Uint8Array;
  readonly s: Uint8Array;
};

/** What a message says about each kind of key; a well-behaved peer sends one of the two. */
export type ByKind<Rsa, Ecdsa> = {
  readonly rsa: Rsa | undefined;
  readonly ecdsa: Ecdsa | undefined;
};

export const writePayload = (certificates: readonly Uint8Array[]): Uint8Array =>
  write({ certificates: certificates.map(base64) });

/** The certificates, DER, leaf first. Throws 'invalid'. */
export function readPayload(bytes: Uint8Array): readonly Uint8Array[] {
  const certificates = field(parse(bytes), 'certificates') ?? [];
  if (!Array.isArray(certificates)) throw wrongType('certificates');
  return certificates.map((certificate) => readBase64(certificate ?? '', 'certificates'));
}

export const writeChallenge = ({ kind, nonce }: Challenge): Uint8Array =>
  write(byKind(kind, { nonce: base64(nonce) }));

/** Throws 'invalid'. */
export function readChallenge(
  bytes: Uint8Array,
): ByKind<{ nonce: Uint8Array }, { nonce: Uint8Array }> {
  const message = parse(bytes);
  const nonce = (part: JsonRecord) => ({ nonce: bytesField(part, 'nonce') });
  return {
    rsa: optional(message, 'rsa_signature', nonce),
    ecdsa: optional(message, 'ecdsa_signature', nonce),
  };
}

export const writeRsaResponse = ({ nonce, signature }: RsaResponse): Uint8Array =>
  write(byKind('rsa', { nonce: base64(nonce), signature: base64(signature) }));

export const writeEcdsaResponse = ({ nonce, r, s }: EcdsaResponse): Uint8Array =>
  write(byKind('ecdsa', { nonce: base64(nonce), r: base64(r), s: base64(s) }));

/** Throws 'invalid'. */
export function readResponse(bytes: Uint8Array): ByKind<RsaResponse, EcdsaResponse> {
  const message = parse(bytes);
  return {
    rsa: optional(message, 'rsa_signature', (part) => ({
      nonce: bytesField(part, 'nonce'),
      signature: bytesField(part, 'signature'),
    })),
    ecdsa: optional(message, 'ecdsa_signature', (part) => ({
      nonce: bytesField(part, 'nonce'),
      r: bytesField(part, 'r'),
      s: bytesField(part, 's'),
    })),
  };
}

const byKind = (kind: ChallengeKind, part: Readonly<Record<string, string>>) => ({
  rsa_signature: kind === 'rsa' ? part : null,
  ecdsa_signature: kind === 'ecdsa' ? part : null,
});

const write = (message: unknown): Uint8Array => Buffer.from(JSON.stringify(message));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

type JsonRecord = Readonly<Record<string, unknown>>;

/** gRPC carries 4 MiB at most; certificates of any real chain stay far below this. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

function parse(bytes: Uint8Array): JsonRecord {
  if (bytes.length > MAX_MESSAGE_BYTES) throw new Fault('invalid', 'message too large');
  const value = parseJson(Buffer.from(bytes).toString('utf8')) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw wrongType('message');
  return value as JsonRecord;
}

function parseJson(text: string): unknown {
  if (text.trim() === '') throw new Fault('invalid', 'unexpected end of JSON input');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault('invalid', (error as Error).message, { cause: error });
  }
}

/** Names match in any case, the exact one first. */
function field(record: JsonRecord, name: string): unknown {
  if (Object.hasOwn(record, name)) return record[name];
  const other = Object.keys(record).find((key) => key.toLowerCase() === name);
  return other === undefined ? undefined : record[other];
}

function optional<T>(
  record: JsonRecord,
  name: string,
  read: (part: JsonRecord) => T,
): T | undefined {
  const part = field(record, name) ?? undefined;
  if (part === undefined) return undefined;
  if (typeof part !== 'object' || Array.isArray(part)) throw wrongType(name);
  return read(part as JsonRecord);
}

const bytesField = (record: JsonRecord, name: string): Uint8Array =>
  readBase64(field(record, name) ?? '', name);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readBase64(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'string' || !BASE64.test(value)) throw wrongType(name);
  return Buffer.from(value, 'base64');
}

const wrongType = (name: string): Fault => new Fault('invalid', `"${name}" has the wrong type`);
