import { silentLog } from '../../ops/log.ts';
import { selectorText } from '../../spiffe/selector.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { EntryService, MatchingEntry } from './explanation.ts';

export type MatchingDeps = {
  readonly svidOf: (entryId: string) => X509Svid | undefined;
  /** Unix seconds. */
  readonly now: number;
};

/** The entries whose selectors are all there, ascending by ID, and how each serves. */
export function explainMatching(
  entries: readonly AuthorizedEntry[],
  selectors: ReadonlySet<string>,
  deps: MatchingDeps,
): readonly MatchingEntry[] {
  const matching = entries
    .filter((entry) => entry.selectors.every((one) => selectors.has(selectorText(one))))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const byHint = hintHolders(matching);
  return matching.map((entry) => ({
    entryId: entry.id,
    spiffeId: entry.spiffeId.toString(),
    selectors: entry.selectors.map(selectorText),
    hint: entry.hint,
    service: serviceOf(entry, byHint, deps),
    svidExpiresAt: deps.svidOf(entry.id)?.notAfter,
  }));
}

/** Of entries with the same hint, the one that is served, by hint; what is stored takes nobody's place. */
function hintHolders(matching: readonly AuthorizedEntry[]): ReadonlyMap<string, string> {
  const served = matching.filter(({ storeSvid }) => !storeSvid).map((entry) => ({ entry }));
  return new Map(
    withoutDuplicateHints(served, silentLog).map(({ entry }) => [entry.hint, entry.id]),
  );
}

function serviceOf(
  { id, hint, storeSvid }: AuthorizedEntry,
  byHint: ReadonlyMap<string, string>,
  { svidOf, now }: MatchingDeps,
): EntryService {
  if (storeSvid) return { kind: 'stored' };
  const holder = byHint.get(hint);
  if (hint !== '' && holder !== undefined && holder !== id) return { kind: 'hidden', by: holder };
  const svid = svidOf(id);
  if (svid === undefined) return { kind: 'not-signed-yet' };
  return svid.notAfter <= now ? { kind: 'expired' } : { kind: 'served' };
}
