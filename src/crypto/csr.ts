import type { PublicKey, Signer } from './signer.ts';
export type CertificateRequest = {
  readonly der: Uint8Array;
  /** What is signed. */
  readonly info: Uint8Array;
  /** DER of the Name. */
  readonly subject: Uint8Array;
  readonly publicKey: PublicKey;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
};
export type CsrContent = { readonly subject?: Uint8Array; readonly dnsNames: readonly string[]; readonly uris: readonly string[] };
export declare function parseCsr(der: Uint8Array): CertificateRequest;
export declare function verifyCsr(csr: CertificateRequest): Promise<void>;
export declare function buildCsr(content: CsrContent, signer: Signer): Promise<Uint8Array>;
