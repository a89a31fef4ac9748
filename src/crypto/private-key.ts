import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { readPem } from './pem.ts';
import { pkcs8FromPkcs1, pkcs8FromSec1, readPkcs8 } from './pkcs8.ts';
import { readPublicKey } from './public-key.ts';
import { fitsPss, pss, signWith } from './signature.ts';
import type { PssSigner, PublicKey, SignatureHash } from './signer.ts';

/** A key pair in memory. */
export interface PrivateKey extends PssSigner {
  /** PKCS#8 DER, as Go writes it. */
  toPkcs8(): Uint8Array;
}

/**
 * Reads a PKCS#8 PrivateKeyInfo (RFC 5208) of any kind that `readPublicKey` takes. Throws 'invalid' if it is malformed,
 * of another kind, or if its members do not belong together.
 */
export function readPrivateKey(pkcs8: Uint8Array): PrivateKey {
  const { secret, claimed, complete } = readPkcs8(pkcs8);
  const derived = createPublicKey(importKey(secret)).export({ format: 'der', type: 'spki' });
  const publicKey = readPublicKey(derived);
  if (claimed !== undefined && Buffer.compare(claimed, publicKey.spki) !== 0) {
    throw new Fault('invalid', 'the public key inside does not belong to the private key');
  }
  const whole = complete(publicKey.spki);
  return memoryKey(importKey(whole), publicKey, whole);
}

/** From PEM, the first block of it: `PRIVATE KEY`, `EC PRIVATE KEY` (SEC 1) or `RSA PRIVATE KEY` (PKCS#1). */
export function readPrivateKeyPem(pem: string | Uint8Array): PrivateKey {
  const [block] = readPem(pem);
  if (block === undefined) throw new Fault('invalid', 'no PEM blocks');
  const convert = pemForms.get(block.type);
  if (convert === undefined) {
    throw new Fault('invalid', `expected a private key; got "${block.type}"`);
  }
  return readPrivateKey(convert(block.der));
}

const pemForms: ReadonlyMap<string, (der: Uint8Array) => Uint8Array> = new Map([
  ['PRIVATE KEY', (der: Uint8Array) => der],
  ['EC PRIVATE KEY', pkcs8FromSec1],
  ['RSA PRIVATE KEY', pkcs8FromPkcs1],
]);

function importKey(pkcs8: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  } catch (error) {
    throw new Fault('invalid', 'malformed private key', { cause: error });
  }
}

const memoryKey = (key: KeyObject, publicKey: PublicKey, pkcs8: Uint8Array): PrivateKey => ({
  publicKey,
  sign: (message, hash) => signWith({ key }, hash, message),
  signPss: (message, hash) => signPss(key, publicKey, message, hash),
  toPkcs8: () => new Uint8Array(pkcs8),
});

async function signPss(
  key: KeyObject,
  publicKey: PublicKey,
  message: Uint8Array,
  hash: SignatureHash,
): Promise<Uint8Array> {
  if (!fitsPss(publicKey, hash)) {
    throw new Fault(
      'invalid',
      `a ${publicKey.kind} key of ${publicKey.bits} bits makes no PSS signature with ${hash}`,
    );
  }
  return signWith({ key, ...pss }, hash, message);
}
