import type { PublicKey } from '../signer.ts';
export type KeyUsage = 'digitalSignature' | 'nonRepudiation' | 'keyEncipherment' | 'dataEncipherment' | 'keyAgreement' | 'keyCertSign' | 'cRLSign' | 'encipherOnly' | 'decipherOnly';
export type Extension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array };
export type BasicConstraints = { readonly ca: boolean; readonly pathLength?: number };
export type Certificate = {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: number;
  readonly serialNumber: bigint;
  /** DER of the Name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  /** undefined: of a kind we cannot use. */
  readonly publicKey: PublicKey | undefined;
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  /** OIDs. */
  readonly extendedKeyUsage?: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly unhandledCriticalExtensions: readonly string[];
};
export declare function parseCertificate(der: Uint8Array): Certificate;
export declare function parseCertificates(concatenatedDer: Uint8Array): Certificate[];
