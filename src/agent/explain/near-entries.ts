import { selectorText } from '../../spiffe/selector.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { Lacking, NearEntry } from './explanation.ts';

/** More would not be read. */
const MAX_TOLD = 10;
/** A process may have hundreds of a kind: labels, groups. */
const MAX_FOUND = 3;

export type NearEntries = { readonly told: readonly NearEntry[]; readonly count: number };

/**
 * Of the entries that do not match, those that come near: something of theirs the process has, or has something else of
 * the same kind. Those that lack the fewest selectors go first, then those of which it has the most.
 */
export function nearEntries(
  entries: readonly AuthorizedEntry[],
  selectors: ReadonlySet<string>,
): NearEntries {
  const kinds = Map.groupBy([...selectors].sort(), kindOf);
  const near = entries
    .map((entry) => compare(entry, selectors, kinds))
    .filter((one) => one.lacks.length > 0 && (one.has.length > 0 || one.found > 0))
    .sort(nearestFirst);
  return {
    told: near
      .slice(0, MAX_TOLD)
      .map(({ entryId, spiffeId, has, lacks }) => ({ entryId, spiffeId, has, lacks })),
    count: near.length,
  };
}

type Compared = NearEntry & {
  /** For how many of the lacking ones there is something of the same kind. */
  readonly found: number;
};

function compare(
  entry: AuthorizedEntry,
  selectors: ReadonlySet<string>,
  kinds: ReadonlyMap<string, readonly string[]>,
): Compared {
  const has: string[] = [];
  const lacks: Lacking[] = [];
  for (const selector of new Set(entry.selectors.map(selectorText))) {
    if (selectors.has(selector)) has.push(selector);
    else lacks.push({ selector, found: (kinds.get(kindOf(selector)) ?? []).slice(0, MAX_FOUND) });
  }
  return {
    entryId: entry.id,
    spiffeId: entry.spiffeId.toString(),
    has,
    lacks,
    found: lacks.filter(({ found }) => found.length > 0).length,
  };
}

const nearestFirst = (a: Compared, b: Compared): number =>
  a.lacks.length - b.lacks.length ||
  b.has.length - a.has.length ||
  b.found - a.found ||
  (a.entryId < b.entryId ? -1 : 1);

/** What a selector tells, without what it tells of it: `unix:uid` of `unix:uid:1000`. */
function kindOf(selector: string): string {
  const type = selector.indexOf(':');
  const key = selector.indexOf(':', type + 1);
  return key === -1 ? selector.slice(0, type) : selector.slice(0, key);
}
