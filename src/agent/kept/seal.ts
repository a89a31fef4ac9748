import { hkdf, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../../base/fault.ts';

/** Encrypts and authenticates what is kept on disk. */
export interface Seal {
  seal(plain: Uint8Array): Promise<Uint8Array>;
  /** Throws 'invalid' for what this seal did not make, or what was changed since. */
  open(sealed: Uint8Array): Promise<Uint8Array>;
}

const MAGIC = Buffer.from('steeple-kept-1\n');
const SALT_BYTES = 32;
const KEY_BITS = 256;
const NONCE_BYTES = 12;
/** Each salt gives a key of its own, under which one message is encrypted: one nonce will do (NIST SP 800-38D §8.2.1). */
const NONCE = new Uint8Array(NONCE_BYTES);

const { subtle } = webcrypto;
const derive = promisify(hkdf);

/**
 * AES-256-GCM under keys derived from that secret (HKDF, RFC 5869). What is sealed for one owner cannot be opened for
 * another. All of it runs on other threads than JavaScript's.
 */
export function createSeal(secret: Uint8Array, owner: string): Seal {
  const context = Buffer.concat([MAGIC, Buffer.from(owner)]);
  const keyFor = async (salt: Uint8Array): Promise<webcrypto.CryptoKey> => {
    const bytes = await derive('sha256', secret, salt, context, KEY_BITS / 8);
    return subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
  };
  const algorithm = { name: 'AES-GCM', iv: NONCE, additionalData: context };
  return {
    async seal(plain) {
      const salt = randomBytes(SALT_BYTES);
      const encrypted = await subtle.encrypt(algorithm, await keyFor(salt), Buffer.from(plain));
      return Buffer.concat([MAGIC, salt, Buffer.from(encrypted)]);
    },
    async open(sealed) {
      const bytes = Buffer.from(sealed);
      const salt = bytes.subarray(MAGIC.length, MAGIC.length + SALT_BYTES);
      if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || salt.length < SALT_BYTES) {
        throw new Fault('invalid', 'not a file of this agent');
      }
      const encrypted = bytes.subarray(MAGIC.length + SALT_BYTES);
      try {
        return new Uint8Array(await subtle.decrypt(algorithm, await keyFor(salt), encrypted));
      } catch (error) {
        const why = 'made by another agent or with another key, or changed since';
        throw new Fault('invalid', why, { cause: error });
      }
    },
  };
}
