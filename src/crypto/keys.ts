import type { PssSigner, PublicKey, SignatureHash } from './signer.ts';

export const keyTypes = {
  'ec-p256': { hash: 'sha256' },
  'ec-p384': { hash: 'sha384' },
  'rsa-2048': { hash: 'sha256' },
  'rsa-4096': { hash: 'sha256' },
} satisfies Record<string, { hash: SignatureHash }>;
export type KeyType = keyof typeof keyTypes;
/** A key pair in memory. */
export interface PrivateKey extends PssSigner {
  toPkcs8(): Uint8Array;
}
export declare function generateKey(type: KeyType): Promise<PrivateKey>;
/** The row of `keyTypes` that such a key belongs to, or undefined. */
export declare function keyTypeOf(key: PublicKey): KeyType | undefined;
export declare function readPrivateKey(pkcs8: Uint8Array): PrivateKey;
/** From PEM: PKCS#8 `PRIVATE KEY`, `EC PRIVATE KEY` (SEC 1) or `RSA PRIVATE KEY` (PKCS#1). */
export declare function readPrivateKeyPem(pem: string | Uint8Array): PrivateKey;
export declare function readPublicKey(spki: Uint8Array): PublicKey;
/** ECDSA (DER) or RSA PKCS#1 v1.5. */
export declare function verifySignature(key: PublicKey, hash: SignatureHash, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
/** RSASSA-PSS, the salt as long as the hash. */
export declare function verifyPss(key: PublicKey, hash: SignatureHash, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
export declare function subjectKeyId(spki: Uint8Array): Uint8Array;
