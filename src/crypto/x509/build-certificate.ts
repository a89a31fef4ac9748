import type { Signer } from '../signer.ts';
import type { BasicConstraints, KeyUsage } from './certificate.ts';
export type CertificateTemplate = {
  readonly serialNumber: bigint;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  readonly keyUsage: readonly KeyUsage[];
  /** OIDs; `extendedKeyUsages` names them. */
  readonly extendedKeyUsage?: readonly string[];
  readonly basicConstraints?: BasicConstraints;
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
};
export declare function buildCertificate(template: CertificateTemplate, signer: Signer): Promise<Uint8Array>;
export declare function randomSerialNumber(): bigint;
export const extendedKeyUsages = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;
