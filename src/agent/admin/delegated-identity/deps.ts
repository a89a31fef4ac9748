import type { Clock } from '../../../base/clock.ts';
import type { Metrics } from '../../../ops/metrics.ts';
import type { AttestWorkload } from '../../endpoint/workload-attestation.ts';
import type { Identities } from '../../identities.ts';

/** What the methods of the Delegated Identity API work with. */
export type DelegatedIdentityDeps = {
  readonly identities: Identities;
  /** The SPIFFE IDs, as texts, of those who may fetch identities for others. */
  readonly authorizedDelegates: ReadonlySet<string>;
  /** Attests a process that a delegate names. */
  readonly attest: AttestWorkload;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: Metrics;
};
