import {
  constants,
  createPublicKey,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  type VerifyKeyObjectInput,
  type VerifyPublicKeyInput,
  verify,
} from 'node:crypto';
import { Fault } from '../base/fault.ts';
import type { PublicKey, SignatureHash } from './signer.ts';

/** Whether a key will check further signatures: then OpenSSL's form of it is kept. */
export type KeyUse = 'again' | 'once';

/**
 * Whether the signature is that key's over the message: ECDSA (DER `SEQUENCE(r, s)`) or RSA PKCS#1 v1.5. Checked on
 * libuv's threads.
 */
export const verifySignature = (
  key: PublicKey,
  hash: SignatureHash,
  message: Uint8Array,
  signature: Uint8Array,
  use: KeyUse = 'again',
): Promise<boolean> => verifyWith(keyInput(key, use), hash, message, signature);

/** RSASSA-PSS as RFC 7518 §3.5 and RFC 4055 §3.1 have it: the salt is as long as the hash. */
export const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
} as const;

/** Whether it is that key's RSASSA-PSS signature (RFC 8017 §8.1), with MGF1 of the same hash. */
export async function verifyPss(
  key: PublicKey,
  hash: SignatureHash,
  message: Uint8Array,
  signature: Uint8Array,
  use: KeyUse = 'again',
): Promise<boolean> {
  if (!fitsPss(key, hash)) return false;
  return verifyWith({ ...keyInput(key, use), ...pss }, hash, message, signature);
}

/** RFC 8017 §9.1.1: the encoded message holds two hashes and two bytes. */
export const fitsPss = (key: PublicKey, hash: SignatureHash): boolean =>
  key.kind === 'rsa' && Math.ceil((key.bits - 1) / 8) >= 2 * hashBytes[hash] + 2;

const hashBytes = { sha256: 32, sha384: 48, sha512: 64 } satisfies Record<SignatureHash, number>;

/** Signs on libuv's threads. */
export function signWith(
  key: SignKeyObjectInput,
  hash: SignatureHash,
  message: Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign(hash, message, key, (error, signature) => {
      if (error)
        reject(new Fault('internal', `failed to sign: ${error.message}`, { cause: error }));
      else resolve(plain(signature));
    });
  });
}

type VerifyKeyInput = VerifyKeyObjectInput | VerifyPublicKeyInput;

function verifyWith(
  key: VerifyKeyInput,
  hash: SignatureHash,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, message, key, signature, (error, verified) => {
      if (error)
        reject(new Fault('internal', `failed to verify: ${error.message}`, { cause: error }));
      else resolve(verified);
    });
  });
}

/**
 * A KeyObject takes a sixth of a verification's time to make, so it is kept. For one signature none is made: the garbage
 * collector frees KeyObjects in full collections only, and those of some ten thousand requests in one long pause.
 */
const keyInput = (key: PublicKey, use: KeyUse): VerifyKeyInput =>
  use === 'once' ? { key: key.spki, format: 'der', type: 'spki' } : { key: keyObjectOf(key) };

function keyObjectOf(key: PublicKey): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
  keyObjects.set(key, made);
  return made;
}

const keyObjects = new WeakMap<PublicKey, KeyObject>();

const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
