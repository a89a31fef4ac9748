import { constants, createHash, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../../../base/fault.ts';
import {
  type ByKind,
  type ChallengeKind,
  type EcdsaResponse,
  type RsaResponse,
  readChallenge,
  readResponse,
  writeChallenge,
  writeEcdsaResponse,
  writeRsaResponse,
} from './messages.ts';

const NONCE_BYTES = 32;

/** How many bytes each half of a signature takes, by curve. */
const curveBytes: Readonly<Record<string, number>> = {
  secp224r1: 28,
  prime256v1: 32,
  secp384r1: 48,
  secp521r1: 66,
};

/** The server's end: a challenge for that key, and the check of what came back (`reference/node-attestation.md` §4.3). */
export function createChallenge(publicKey: KeyObject): {
  readonly bytes: Uint8Array;
  /** Throws 'invalid' for what is no response, 'denied' for a wrong one. */
  verify(response: Uint8Array): Promise<void>;
} {
  const kind = challengeKind(publicKey);
  if (kind === undefined) {
    throw new Fault('internal', `unsupported public key type ${goKeyType(publicKey)}`);
  }
  const nonce = randomBytes(NONCE_BYTES);
  return {
    bytes: writeChallenge({ kind, nonce }),
    async verify(bytes) {
      const response = parseWith(readResponse, bytes, 'unable to unmarshal challenge response');
      const wrong = await verifiers[kind](publicKey, nonce, response);
      if (wrong === undefined) return;
      throw new Fault('denied', `challenge response verification failed: ${wrong}`);
    },
  };
}

/** The agent's end. Throws 'internal'. */
export async function answerChallenge(
  privateKey: KeyObject,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const kind = challengeKind(privateKey);
  const challenge = parseWith(readChallenge, bytes, 'unable to unmarshal challenge', 'internal');
  const refuse = (why: string) =>
    new Fault('internal', `failed to calculate challenge response: ${why}`);
  if (kind === undefined) throw refuse(`unsupported private key type ${goKeyType(privateKey)}`);
  const part = challenge[kind];
  if (part === undefined) throw refuse(`expecting ${kind.toUpperCase()} challenge`);
  if (part.nonce.length !== NONCE_BYTES) throw refuse('invalid challenge nonce');
  const nonce = randomBytes(NONCE_BYTES);
  return signers[kind](privateKey, part.nonce, nonce);
}

const challengeKind = (key: KeyObject): ChallengeKind | undefined =>
  (({ rsa: 'rsa', ec: 'ecdsa' }) as const)[key.asymmetricKeyType as 'rsa' | 'ec'];

/** As Go names the types of keys that it knows and we refuse. */
const goKeyType = (key: KeyObject): string =>
  key.asymmetricKeyType === 'ed25519'
    ? `ed25519.${key.type === 'public' ? 'PublicKey' : 'PrivateKey'}`
    : String(key.asymmetricKeyType);

const signAsync = promisify(sign);
const verifyAsync = promisify(verify);

/** SHA-256 of the two nonces is what gets signed, so hashing them is the signature's own first step. */
const signed = (challengeNonce: Uint8Array, responseNonce: Uint8Array): Uint8Array =>
  Buffer.concat([challengeNonce, responseNonce]);

const pss = (key: KeyObject, saltLength: number) => ({
  key,
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength,
});
const halves = (key: KeyObject) => ({ key, dsaEncoding: 'ieee-p1363' as const });

const signers = {
  async rsa(key: KeyObject, challengeNonce: Uint8Array, nonce: Uint8Array) {
    const salt = constants.RSA_PSS_SALTLEN_MAX_SIGN;
    const signature = await signAsync('sha256', signed(challengeNonce, nonce), pss(key, salt));
    return writeRsaResponse({ nonce, signature });
  },
  async ecdsa(key: KeyObject, challengeNonce: Uint8Array, nonce: Uint8Array) {
    const signature = await signAsync('sha256', signed(challengeNonce, nonce), halves(key));
    const half = signature.length / 2;
    const r = withoutZeros(signature.subarray(0, half));
    const s = withoutZeros(signature.subarray(half));
    return writeEcdsaResponse({ nonce, r, s });
  },
};

type Response = ByKind<RsaResponse, EcdsaResponse>;
type Wrong = string | undefined;

const verifiers = {
  async rsa(key: KeyObject, challengeNonce: Uint8Array, { rsa }: Response): Promise<Wrong> {
    if (rsa === undefined) return 'expecting RSA response';
    if (rsa.nonce.length !== NONCE_BYTES) return 'invalid response nonce';
    const message = signed(challengeNonce, rsa.nonce);
    const anySalt = pss(key, constants.RSA_PSS_SALTLEN_AUTO);
    const right = await verifies(message, anySalt, rsa.signature);
    return right ? undefined : 'RSA signature verify failed';
  },
  async ecdsa(key: KeyObject, challengeNonce: Uint8Array, { ecdsa }: Response): Promise<Wrong> {
    if (ecdsa === undefined) return 'expecting ECDSA response';
    if (ecdsa.nonce.length !== NONCE_BYTES) return 'invalid response nonce';
    const message = signed(challengeNonce, ecdsa.nonce);
    const signature = joinHalves(key, ecdsa);
    const right = signature !== undefined && (await verifies(message, halves(key), signature));
    return right ? undefined : 'ECDSA signature verify failed';
  },
};

/** What OpenSSL cannot even look at verifies nothing. */
const verifies = (
  message: Uint8Array,
  key: Parameters<typeof verify>[2],
  signature: Uint8Array,
): Promise<boolean> => verifyAsync('sha256', message, key, signature).catch(() => false);

/** Undefined where one of them is too long for the curve. */
function joinHalves(key: KeyObject, response: EcdsaResponse): Uint8Array | undefined {
  const [r, s] = [withoutZeros(response.r), withoutZeros(response.s)];
  const length = curveBytes[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (length === undefined || r.length > length || s.length > length) return undefined;
  const signature = Buffer.alloc(2 * length);
  signature.set(r, length - r.length);
  signature.set(s, 2 * length - s.length);
  return signature;
}

function withoutZeros(number: Uint8Array): Uint8Array {
  const first = number.findIndex((byte) => byte !== 0);
  return number.subarray(first === -1 ? number.length : first);
}

function parseWith<T>(
  read: (bytes: Uint8Array) => T,
  bytes: Uint8Array,
  prefix: string,
  kind: 'invalid' | 'internal' = 'invalid',
): T {
  try {
    return read(bytes);
  } catch (error) {
    throw new Fault(kind, `${prefix}: ${(error as Error).message}`, { cause: error });
  }
}

/** SHA-1 of a certificate, which names it in selectors and agent IDs; not for security. */
export const fingerprint = (der: Uint8Array): string =>
  createHash('sha1').update(der).digest('hex');
