import type { Clock } from '../../base/clock.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { RefusalFacts } from '../explain/refusal-facts.ts';
import type { Identities } from '../identities.ts';

/** What the methods of the Workload API work with. */
export type WorkloadApiDeps = {
  readonly identities: Identities;
  readonly trustDomain: TrustDomain;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** Whether WIT-SVIDs are offered, which SPIRE does not. */
  readonly witSvids: boolean;
  /** Callers without an identity may have the own trust domain's bundle. */
  readonly allowUnauthenticatedVerifiers: boolean;
  /** Claims of foreign tokens that are answered beside the standard ones. */
  readonly allowedForeignJwtClaims: readonly string[];
  /** Prefixes of selectors that the log may tell of callers without an identity. */
  readonly logSelectors: readonly string[];
  /** Why a caller was refused, for the log. */
  readonly refusalFacts?: RefusalFacts;
};
