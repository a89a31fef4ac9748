import { Fault } from '../../base/fault.ts';
import type { PublicKey, Signer } from '../signer.ts';
import { isJwsAlgorithm, type JwsAlgorithm, jwsAlgorithms } from './algorithms.ts';
import { base64url, readBase64url } from './base64url.ts';

export { type JwsAlgorithm, jwsAlgorithmFor } from './algorithms.ts';

/** A JWS (RFC 7515) whose parts were read and whose signature was not checked. */
export type Jws = {
  readonly algorithm: JwsAlgorithm;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
  /** What is signed. */
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
};

export type JwsContent = {
  /** Without `alg`. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Bytes as they are, or the members of a JSON object. */
  readonly payload: Uint8Array | Readonly<Record<string, unknown>>;
};

/** A token travels in HTTP headers; one of this size would not. */
const MAX_TOKEN_LENGTH = 256 * 1024;

/** Signs in Compact Serialization. Members of header and payload are written in alphabetical order, as Go does. */
export async function signJws(
  { header, payload }: JwsContent,
  signer: Signer,
  algorithm: JwsAlgorithm,
): Promise<string> {
  const row = jwsAlgorithms[algorithm];
  if (row.kind !== signer.publicKey.kind) {
    throw new Fault('invalid', `a key of kind ${signer.publicKey.kind} does not sign ${algorithm}`);
  }
  const content = payload instanceof Uint8Array ? payload : sortedJson(payload);
  const signingInput = `${base64url(sortedJson({ ...header, alg: algorithm }))}.${base64url(content)}`;
  const signature = await row.sign(signer, Buffer.from(signingInput, 'latin1'));
  return `${signingInput}.${base64url(signature)}`;
}

/** Reads the Compact Serialization (RFC 7515 §7.1) of one of our algorithms. Throws 'invalid'. */
export function parseJws(token: string): Jws {
  if (token.length > MAX_TOKEN_LENGTH) throw new Fault('invalid', 'token too large');
  const [headerText, payloadText, signatureText, more] = token.split('.', 4);
  if (
    headerText === undefined ||
    payloadText === undefined ||
    signatureText === undefined ||
    more !== undefined
  ) {
    throw new Fault('invalid', 'token is not a JWS in compact serialization');
  }
  const header = readHeader(readBase64url(headerText, 'header of the token'));
  return {
    algorithm: header.alg,
    header,
    payload: readBase64url(payloadText, 'payload of the token'),
    signingInput: Buffer.from(`${headerText}.${payloadText}`, 'latin1'),
    signature: readBase64url(signatureText, 'signature of the token'),
  };
}

/** Whether that key made the signature, by the algorithm that the header names. A key of another kind did not. */
export async function verifyJws(jws: Jws, key: PublicKey): Promise<boolean> {
  const row = jwsAlgorithms[jws.algorithm];
  return row.kind === key.kind && row.verify(key, jws.signingInput, jws.signature);
}

/** RFC 7515 §4.1. We know no extensions, so `crit` may not be there (§4.1.11). */
function readHeader(
  bytes: Uint8Array,
): Readonly<Record<string, unknown>> & { readonly alg: JwsAlgorithm } {
  const header = readJsonObject(bytes, 'header of the token');
  const { alg } = header;
  if (!isJwsAlgorithm(alg)) {
    throw new Fault('invalid', `unexpected signature algorithm ${JSON.stringify(alg)}`);
  }
  if (Object.hasOwn(header, 'crit')) {
    throw new Fault('invalid', 'token header has critical extensions');
  }
  return { ...header, alg };
}

/** A JSON object in UTF-8. Throws 'invalid'. */
export function readJsonObject(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes, what);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('invalid', `${what} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw new Fault('invalid', `${what} is not JSON`, { cause: error });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const sortedJson = (members: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(members).toSorted(byName)));

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : Number(a > b);
