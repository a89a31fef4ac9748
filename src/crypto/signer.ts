import type { KeyType } from './keys.ts';

export type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** The public half of a key pair that we accept somewhere. */
export type PublicKey = {
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  readonly keyType: KeyType;
};

/**
 * Something that can sign, without saying where its key lives. Takes the message, not its digest: the hash is
 * computed where the key is. ECDSA signatures are DER `SEQUENCE(r, s)`; RSA ones are PKCS#1 v1.5.
 * Never blocks the event loop.
 */
export interface Signer {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array, hash: SignatureHash): Promise<Uint8Array>;
}
