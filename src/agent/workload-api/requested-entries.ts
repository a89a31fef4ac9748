import { Fault, reasonOf } from '../../base/fault.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';

/** The one identity that a caller wants a token of; undefined: of all. Throws 'invalid'. */
export function requestedId(text: string, { log }: WorkloadCall): SpiffeId | undefined {
  if (text === '') return undefined;
  try {
    return SpiffeId.parse(text);
  } catch (error) {
    log.error('Invalid requested SPIFFE ID', { error: error as Error });
    throw new Fault('invalid', `invalid requested SPIFFE ID: ${reasonOf(error)}`, { cause: error });
  }
}

/** What a caller gets tokens of: of its entries those that the hint rule leaves, then the one that it wants. */
export function requestedEntries(
  { identities }: Pick<WorkloadApiDeps, 'identities'>,
  selectors: ReadonlySet<string>,
  wanted: SpiffeId | undefined,
  { log }: WorkloadCall,
): readonly AuthorizedEntry[] {
  const matching = identities.matchingEntries(selectors).map((entry) => ({ entry }));
  return withoutDuplicateHints(matching, log)
    .map(({ entry }) => entry)
    .filter(({ spiffeId }) => wanted === undefined || spiffeId.equals(wanted));
}
