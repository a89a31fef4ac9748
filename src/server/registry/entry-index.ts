import { Fault } from '../../base/fault.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { selectorText } from '../../spiffe/selector.ts';
import type { Row } from '../datastore/contract.ts';
import type { EntryFilter } from './contract.ts';
import { RowIndex } from './row-index.ts';
import { RowList } from './row-list.ts';
import { setCondition, smallest } from './set-match.ts';

/** All entries, and the ways to find some of them. */
export class EntryIndex {
  readonly byParentId = new RowIndex<Entry>(({ parentId }) => [parentId.toString()]);
  readonly bySpiffeId = new RowIndex<Entry>(({ spiffeId }) => [spiffeId.toString()]);
  readonly #bySelector = new RowIndex<Entry>(selectorTexts);
  readonly #byFederation = new RowIndex<Entry>(federationNames);
  readonly #byHint = new RowIndex<Entry>(({ hint }) => (hint === '' ? [] : [hint]));
  readonly #rows = new RowList<Entry>();
  readonly #byEntryId = new Map<string, Row<Entry>>();

  get(entryId: string): Row<Entry> | undefined {
    return this.#byEntryId.get(entryId);
  }

  rows(): readonly Row<Entry>[] {
    return this.#rows.snapshot();
  }

  put(row: Row<Entry>): void {
    this.remove(row.value.id);
    this.#byEntryId.set(row.value.id, row);
    this.#rows.put(row);
    for (const index of this.#indexes()) index.put(row);
  }

  remove(entryId: string): void {
    const row = this.#byEntryId.get(entryId);
    if (row === undefined) return;
    this.#byEntryId.delete(entryId);
    this.#rows.remove(row.rowId);
    for (const index of this.#indexes()) index.remove(row);
  }

  /** Starts from the shortest list that an index has for one of the conditions. */
  select(filter: EntryFilter): readonly Row<Entry>[] {
    const { spiffeId, parentId, hint, downstream } = filter;
    const selectors = this.#selectorCondition(filter);
    const federation = this.#federationCondition(filter);
    const [first, ...others] = [
      spiffeId && this.bySpiffeId.get(spiffeId.toString()),
      parentId && this.byParentId.get(parentId.toString()),
      selectors?.candidates,
      federation?.candidates,
      hint ? this.#byHint.get(hint) : undefined,
    ].filter((list) => list !== undefined);
    if (first === undefined && !downstream) return this.rows();
    const candidates = first === undefined ? this.rows() : smallest([first, ...others]);
    return candidates.filter(
      ({ value: entry }) =>
        (spiffeId === undefined || entry.spiffeId.equals(spiffeId)) &&
        (parentId === undefined || entry.parentId.equals(parentId)) &&
        (!hint || entry.hint === hint) &&
        (!downstream || entry.downstream) &&
        (selectors === undefined || selectors.holds(selectorTexts(entry))) &&
        (federation === undefined || federation.holds(federationNames(entry))),
    );
  }

  #selectorCondition({ selectors }: EntryFilter) {
    if (selectors === undefined) return undefined;
    if (selectors.set.length === 0) throw new Fault('invalid', 'cannot list by empty selector set');
    return setCondition(
      selectors.match,
      new Set(selectors.set.map(selectorText)),
      this.#bySelector,
    );
  }

  #federationCondition({ federatesWith }: EntryFilter) {
    if (federatesWith === undefined || federatesWith.set.length === 0) return undefined;
    return setCondition(
      federatesWith.match,
      new Set(federatesWith.set.map(({ name }) => name)),
      this.#byFederation,
    );
  }

  #indexes(): readonly RowIndex<Entry>[] {
    return [this.byParentId, this.bySpiffeId, this.#bySelector, this.#byFederation, this.#byHint];
  }
}

const selectorTexts = ({ selectors }: Entry): readonly string[] => selectors.map(selectorText);

const federationNames = ({ federatesWith }: Entry): readonly string[] =>
  federatesWith.map(({ name }) => name);
