/** The hash functions that signatures are made with. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** The families of keys that we accept somewhere; `crypto/keys.ts` lists the ones that we make. */
export type PublicKeyKind = 'ec-p256' | 'ec-p384' | 'ec-p521' | 'rsa';

/** The public half of a key pair that we accept somewhere. Only `readPublicKey` makes one. */
export type PublicKey = {
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  readonly kind: PublicKeyKind;
  /** The size of the field (EC) or of the modulus (RSA). */
  readonly bits: number;
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

/**
 * A signer whose RSA keys also make RSASSA-PSS signatures (RFC 8017 §8.1): MGF1 of the same hash, a salt as long as it.
 */
export interface PssSigner extends Signer {
  /** Throws 'invalid' for an EC key, and for a key that is too short. */
  signPss(message: Uint8Array, hash: SignatureHash): Promise<Uint8Array>;
}
