import type { Signer } from '../../crypto/signer.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';

export type SlotId = 'A' | 'B';

export const otherSlot = (id: SlotId): SlotId => (id === 'A' ? 'B' : 'A');

/** Something that signs SVIDs for a time. Times are Unix seconds. */
export type Authority = {
  /** X.509: the subject key ID in lower-case hex. Signing keys: the key ID (`kid`). */
  readonly authorityId: string;
  /** When it was prepared. */
  readonly issuedAt: number;
  readonly notAfter: number;
  readonly signer: Signer;
};

/** Signs X509-SVIDs. */
export type X509Ca = Authority & {
  readonly certificate: Certificate;
  /** The CA certificate, then what lies between it and the root; empty for a self-signed CA. */
  readonly upstreamChain: readonly Uint8Array[];
  /** The authority key ID in lower-case hex; empty for a self-signed CA. */
  readonly upstreamAuthorityId: string;
};

/** Signs JWT-SVIDs or WIT-SVIDs. */
export type SigningKey = Authority;
