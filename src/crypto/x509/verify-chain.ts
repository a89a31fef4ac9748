import type { Certificate } from './certificate.ts';
export type ChainRequest = {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly roots: readonly Certificate[];
  /** Unix seconds. */
  readonly at: number;
  /** OIDs of which the chain must allow one; undefined: any use. */
  readonly extendedKeyUsage?: readonly string[];
};
export declare function verifyChain(request: ChainRequest): Promise<readonly Certificate[]>;
