import { Fault } from '../../base/fault.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';

/** The answer to a caller whom no entry matches; told in the log too. */
export function noIdentity(
  { logSelectors, refusalFacts }: Pick<WorkloadApiDeps, 'logSelectors' | 'refusalFacts'>,
  { log }: Pick<WorkloadCall, 'log'>,
  selectors: ReadonlySet<string>,
): Fault {
  const mayTell = (selector: string) => isAllowed(selector, logSelectors);
  const told = [...selectors].filter(mayTell).sort();
  log.error('No identity issued', {
    registered: false,
    selectors: told.length > 0 ? told.join(',') : undefined,
    ...refusalFacts?.(selectors, mayTell),
  });
  return new Fault('denied', 'no identity issued');
}

const isAllowed = (selector: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => selector === prefix || selector.startsWith(`${prefix}:`));
