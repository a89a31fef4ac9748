/** Finds what is filed under selectors. A key is filed under each text of its set. */
export class SelectorIndex<T extends { readonly selectors: Iterable<string> }> {
  readonly #filed = new Map<string, Set<T>>();

  add(item: T): void {
    for (const selector of item.selectors) {
      const filed = this.#filed.get(selector);
      if (filed === undefined) this.#filed.set(selector, new Set([item]));
      else filed.add(item);
    }
  }

  delete(item: T): void {
    for (const selector of item.selectors) {
      const filed = this.#filed.get(selector);
      filed?.delete(item);
      if (filed?.size === 0) this.#filed.delete(selector);
    }
  }

  /** Whether anything is filed under one of these. */
  hasAny(selectors: Iterable<string>): boolean {
    for (const selector of selectors) if (this.#filed.has(selector)) return true;
    return false;
  }

  /** Everything filed under one of these, each once. */
  *withAny(selectors: Iterable<string>): Generator<T> {
    const seen = new Set<T>();
    for (const selector of selectors) {
      for (const item of this.#filed.get(selector) ?? []) {
        if (seen.has(item)) continue;
        seen.add(item);
        yield item;
      }
    }
  }

  /** Everything that is filed under all of these; nothing if there are none. */
  *withAll(selectors: readonly string[]): Generator<T> {
    const [first, ...rest] = selectors.map((selector) => this.#filed.get(selector));
    for (const item of first ?? []) {
      if (rest.every((filed) => filed?.has(item))) yield item;
    }
  }

  /** How many selectors have something filed under them. */
  get size(): number {
    return this.#filed.size;
  }
}
