import type { Row } from '../datastore/contract.ts';
import { RowList } from './row-list.ts';

/** Rows by one of their properties; a row may have many keys, each of which has its rows in order. */
export class RowIndex<T> {
  readonly #keysOf: (value: T) => Iterable<string>;
  readonly #lists = new Map<string, RowList<T>>();

  constructor(keysOf: (value: T) => Iterable<string>) {
    this.#keysOf = keysOf;
  }

  get(key: string): readonly Row<T>[] {
    return this.#lists.get(key)?.snapshot() ?? [];
  }

  has(key: string): boolean {
    return this.#lists.has(key);
  }

  put(row: Row<T>): void {
    for (const key of this.#keysOf(row.value)) {
      const list = this.#lists.get(key);
      if (list === undefined) this.#lists.set(key, listOf(row));
      else list.put(row);
    }
  }

  remove(row: Row<T>): void {
    for (const key of this.#keysOf(row.value)) {
      const list = this.#lists.get(key);
      list?.remove(row.rowId);
      if (list?.size === 0) this.#lists.delete(key);
    }
  }
}

function listOf<T>(row: Row<T>): RowList<T> {
  const list = new RowList<T>();
  list.put(row);
  return list;
}
