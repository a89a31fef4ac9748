import { Fault } from '../../../base/fault.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';

/**
 * A delegate is a process that one of the configured SPIFFE IDs is registered for; who is none is refused with
 * 'denied' (`reference/agent.md` §4.7).
 */
export function requireDelegate(
  {
    identities,
    authorizedDelegates,
  }: Pick<DelegatedIdentityDeps, 'identities' | 'authorizedDelegates'>,
  selectors: ReadonlySet<string>,
  { log }: Pick<WorkloadCall, 'log'>,
): void {
  const entries = identities.matchingEntries(selectors);
  const [first] = entries;
  if (first === undefined) {
    log.error('No identity issued', { registered: false });
    throw new Fault('denied', 'no identity issued');
  }
  const delegate = entries.find(({ spiffeId }) => authorizedDelegates.has(spiffeId.toString()));
  if (delegate === undefined) {
    log.error('Permission denied; caller not configured as an authorized delegate.', {
      num_registered_entries: entries.length,
      default_id: first.spiffeId.toString(),
    });
    throw new Fault('denied', 'caller not configured as an authorized delegate');
  }
  log.debug('Caller authorized as delegate', { delegate_id: delegate.spiffeId.toString() });
}
