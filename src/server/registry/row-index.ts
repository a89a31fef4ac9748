import type { Row } from '../datastore/contract.ts';
import { RowList } from './row-list.ts';

/** Rows by one of their properties; a row may have many keys, each of which has its rows in order. */
export class RowIndex<T> {
  readonly #keysOf: (value: T) => Iterable<string>;
  /** Most keys have one row, which then stands for its list: of a hundred thousand lists the memory counts. */
  readonly #lists = new Map<string, Row<T> | RowList<T>>();

  constructor(keysOf: (value: T) => Iterable<string>) {
    this.#keysOf = keysOf;
  }

  get(key: string): readonly Row<T>[] {
    const list = this.#lists.get(key);
    if (list === undefined) return [];
    return list instanceof RowList ? list.snapshot() : [list];
  }

  has(key: string): boolean {
    return this.#lists.has(key);
  }

  put(row: Row<T>): void {
    for (const key of this.#keysOf(row.value)) {
      const list = this.#lists.get(key);
      if (list instanceof RowList) list.put(row);
      else if (list === undefined || list.rowId === row.rowId) this.#lists.set(key, row);
      else this.#lists.set(key, RowList.of(list, row));
    }
  }

  remove(row: Row<T>): void {
    for (const key of this.#keysOf(row.value)) {
      const list = this.#lists.get(key);
      if (!(list instanceof RowList)) {
        if (list?.rowId === row.rowId) this.#lists.delete(key);
        continue;
      }
      list.remove(row.rowId);
      const [last] = list.size === 1 ? list.snapshot() : [];
      if (last !== undefined) this.#lists.set(key, last);
    }
  }
}
