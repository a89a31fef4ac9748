export type PemBlock = { readonly type: string; readonly der: Uint8Array };
export declare function readPem(pem: string | Uint8Array): PemBlock[];
export declare function writePem(type: string, der: Uint8Array): string;
