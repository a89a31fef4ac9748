import type { Row } from '../datastore/contract.ts';
import type { SetMatch } from './contract.ts';
import type { RowIndex } from './row-index.ts';

/** One way in which S may compare with F: what it asks of S, and whether all of F must be in S. */
type MatchRow = {
  readonly holds: (own: readonly string[], filter: ReadonlySet<string>) => boolean;
  readonly needsAll: boolean;
};

/** S is the set of an entry or agent, F the filter's (`reference/server.md` §8.3). */
const matches = {
  exact: {
    holds: (own, filter) => own.length === filter.size && isWithin(own, filter),
    needsAll: true,
  },
  subset: { holds: (own, filter) => own.length > 0 && isWithin(own, filter), needsAll: false },
  superset: { holds: (own, filter) => common(own, filter) === filter.size, needsAll: true },
  any: { holds: (own, filter) => common(own, filter) > 0, needsAll: false },
} satisfies Record<SetMatch, MatchRow>;

/** A condition on a set whose members an index knows. */
export type SetCondition<T> = {
  /** Rows among which are all that match; smaller than everything. */
  readonly candidates: readonly Row<T>[];
  readonly holds: (own: readonly string[]) => boolean;
};

/** `filter` must not be empty. */
export function setCondition<T>(
  match: SetMatch,
  filter: ReadonlySet<string>,
  index: Pick<RowIndex<T>, 'get'>,
): SetCondition<T> {
  const { holds, needsAll }: MatchRow = matches[match];
  const lists = [...filter].map((key) => index.get(key));
  return {
    candidates: needsAll ? smallest(lists) : union(lists),
    holds: (own) => holds(own, filter),
  };
}

export const smallest = <T>(lists: readonly (readonly T[])[]): readonly T[] =>
  lists.reduce((least, list) => (list.length < least.length ? list : least));

function union<T>(lists: readonly (readonly Row<T>[])[]): readonly Row<T>[] {
  const [only, ...others] = lists;
  if (only !== undefined && others.length === 0) return only;
  return [...new Set(lists.flat())].sort((a, b) => a.rowId - b.rowId);
}

const isWithin = (own: readonly string[], filter: ReadonlySet<string>): boolean =>
  own.every((key) => filter.has(key));

const common = (own: readonly string[], filter: ReadonlySet<string>): number =>
  own.reduce((count, key) => (filter.has(key) ? count + 1 : count), 0);
