import { Fault } from '../../../base/fault.ts';
import { type Selector, selectorText } from '../../../spiffe/selector.ts';
import { selectorsFromProto } from '../../../wire/selector.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';

/** Whom a delegate asks for: named by selectors, which are believed, or by the number of a process. */
export type Target = { readonly selectors: readonly Selector[]; readonly pid: number };

/**
 * The target's selectors. A process is looked at now and never again, as in SPIRE: the delegate answers for its number
 * not going to another one.
 */
export async function targetSelectors(
  { attest }: Pick<DelegatedIdentityDeps, 'attest'>,
  { selectors, pid }: Target,
  { log, signal }: Pick<WorkloadCall, 'log' | 'signal'>,
): Promise<ReadonlySet<string>> {
  if (selectors.length > 0 === (pid !== 0)) {
    throw new Fault('invalid', 'must provide either selectors or non-zero PID, but not both');
  }
  if (selectors.length > 0) return givenSelectors(selectors, log);
  try {
    return await attest(pid, signal);
  } catch (error) {
    log.error('Workload attestation failed', { target_pid: pid, error: error as Error });
    if (signal.aborted) throw signal.reason;
    throw new Fault('unavailable', 'workload attestation failed', { cause: error });
  }
}

function givenSelectors(
  selectors: readonly Selector[],
  log: WorkloadCall['log'],
): ReadonlySet<string> {
  try {
    return new Set(selectorsFromProto(selectors).map(selectorText));
  } catch (error) {
    log.error('Invalid argument; could not parse provided selectors', { error: error as Error });
    throw new Fault('invalid', 'could not parse provided selectors', { cause: error });
  }
}
