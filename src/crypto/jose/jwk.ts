export type EcJwk = { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384' | 'P-521'; readonly x: string; readonly y: string };
export type RsaJwk = { readonly kty: 'RSA'; readonly n: string; readonly e: string };
export type Jwk = EcJwk | RsaJwk;
export declare function jwkFromPublicKey(spki: Uint8Array): Jwk;
/** Reads the members of the key itself; `use`, `kid`, `alg` are the caller's to judge. */
export declare function publicKeyFromJwk(jwk: Readonly<Record<string, unknown>>): Uint8Array;
