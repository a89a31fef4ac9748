import type { Row } from '../datastore/contract.ts';
import { firstAfter } from './paging.ts';

/** Rows in order. A list that was handed out is never changed: the next change goes to a copy. */
export class RowList<T> {
  #rows: Row<T>[] = [];
  #handedOut = false;

  static of<T>(...rows: readonly Row<T>[]): RowList<T> {
    const list = new RowList<T>();
    for (const row of rows) list.put(row);
    return list;
  }

  get size(): number {
    return this.#rows.length;
  }

  snapshot(): readonly Row<T>[] {
    this.#handedOut = true;
    return this.#rows;
  }

  /** Puts the row in the place of the one with its number, or in between. */
  put(row: Row<T>): void {
    const { at, found } = this.#find(row.rowId);
    this.#change().splice(at, found ? 1 : 0, row);
  }

  remove(rowId: number): void {
    const { at, found } = this.#find(rowId);
    if (found) this.#change().splice(at, 1);
  }

  #find(rowId: number): { at: number; found: boolean } {
    const next = firstAfter(this.#rows, rowId);
    return this.#rows[next - 1]?.rowId === rowId
      ? { at: next - 1, found: true }
      : { at: next, found: false };
  }

  #change(): Row<T>[] {
    if (this.#handedOut) this.#rows = this.#rows.slice();
    this.#handedOut = false;
    return this.#rows;
  }
}
