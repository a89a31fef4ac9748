import type { PublicKey, Signer } from '../signer.ts';
export type JwsAlgorithm = 'RS256' | 'RS384' | 'RS512' | 'ES256' | 'ES384' | 'ES512' | 'PS256' | 'PS384' | 'PS512';
export type Jws = {
  readonly algorithm: JwsAlgorithm;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
};
/** `alg` is put into the header; members are written in alphabetical order. A payload that is not bytes is written as JSON, likewise. */
export type JwsContent = { readonly header: Readonly<Record<string, unknown>>; readonly payload: Uint8Array | Readonly<Record<string, unknown>> };
export declare function signJws(content: JwsContent, signer: Signer, algorithm: JwsAlgorithm): Promise<string>;
export declare function parseJws(token: string): Jws;
export declare function verifyJws(jws: Jws, key: PublicKey): Promise<boolean>;
/** The algorithm that SPIRE signs with such a key: RS256, ES256, ES384 (ES512 for P-521). */
export declare function jwsAlgorithmFor(key: PublicKey): JwsAlgorithm;
