import type { Selector } from './selector.ts';
import type { SpiffeId } from './spiffe-id.ts';
import type { TrustDomain } from './trust-domain.ts';

/** A registration entry: which workloads (or nodes) get which identity. */
export type Entry = {
  readonly id: string;
  readonly spiffeId: SpiffeId;
  readonly parentId: SpiffeId;
  readonly selectors: readonly Selector[];
  /** 0: the server's default. */
  readonly x509SvidTtlSeconds: number;
  /** 0: the server's default. */
  readonly jwtSvidTtlSeconds: number;
  readonly federatesWith: readonly TrustDomain[];
  readonly admin: boolean;
  readonly downstream: boolean;
  /** Unix seconds; 0: never. A number as on the wire (int64), safe integers only. */
  readonly expiresAt: number;
  readonly dnsNames: readonly string[];
  readonly revisionNumber: number;
  readonly storeSvid: boolean;
  readonly hint: string;
  /** Unix seconds. */
  readonly createdAt: number;
  readonly additionalAttributes: AdditionalAttributes | undefined;
};

export type AdditionalAttributes = {
  readonly disableX509SvidPrefetch: boolean;
  readonly jwtSvidIncludeJti: boolean;
};
