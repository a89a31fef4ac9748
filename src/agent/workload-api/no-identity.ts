import { Fault } from '../../base/fault.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';

/** The answer to a caller whom no entry matches; told in the log too. */
export function noIdentity(
  { logSelectors }: Pick<WorkloadApiDeps, 'logSelectors'>,
  { log }: Pick<WorkloadCall, 'log'>,
  selectors: ReadonlySet<string>,
): Fault {
  const told = [...selectors].filter((selector) => isAllowed(selector, logSelectors)).sort();
  log.error('No identity issued', {
    registered: false,
    selectors: told.length > 0 ? told.join(',') : undefined,
  });
  return new Fault('denied', 'no identity issued');
}

const isAllowed = (selector: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => selector === prefix || selector.startsWith(`${prefix}:`));
