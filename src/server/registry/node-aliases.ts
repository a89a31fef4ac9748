import type { Entry } from '../../spiffe/entry.ts';
import { type Selector, selectorText } from '../../spiffe/selector.ts';

/**
 * The entries that stand for groups of nodes (`reference/server.md` §9): an agent that has all of one's selectors may
 * serve what is below its SPIFFE ID. One without selectors applies to nobody.
 */
export class NodeAliases {
  /** Each alias under one of its selectors: an agent without that one cannot have all. */
  readonly #bySelector = new Map<string, Map<string, Alias>>();
  readonly #keyOf = new Map<string, string>();

  put(entry: Entry): void {
    this.remove(entry.id);
    const selectors = entry.selectors.map(selectorText);
    const key = this.#rarest(selectors);
    if (key === undefined) return;
    const aliases = this.#bySelector.get(key) ?? new Map<string, Alias>();
    aliases.set(entry.id, { spiffeId: entry.spiffeId.toString(), selectors });
    this.#bySelector.set(key, aliases);
    this.#keyOf.set(entry.id, key);
  }

  remove(entryId: string): void {
    const key = this.#keyOf.get(entryId);
    if (key === undefined) return;
    const aliases = this.#bySelector.get(key);
    aliases?.delete(entryId);
    if (aliases?.size === 0) this.#bySelector.delete(key);
    this.#keyOf.delete(entryId);
  }

  /** The SPIFFE IDs of those that apply to an agent with these selectors, sorted, each once. */
  of(selectors: readonly Selector[]): readonly string[] {
    const own = new Set(selectors.map(selectorText));
    const found = new Set<string>();
    for (const selector of own) {
      for (const alias of this.#bySelector.get(selector)?.values() ?? []) {
        if (alias.selectors.every((needed) => own.has(needed))) found.add(alias.spiffeId);
      }
    }
    return [...found].sort();
  }

  /** The selector under which the fewest aliases are kept, so that none has very many. */
  #rarest(selectors: readonly string[]): string | undefined {
    const count = (selector: string) => this.#bySelector.get(selector)?.size ?? 0;
    return selectors.reduce<string | undefined>(
      (rarest, selector) =>
        rarest === undefined || count(selector) < count(rarest) ? selector : rarest,
      undefined,
    );
  }
}

type Alias = { readonly spiffeId: string; readonly selectors: readonly string[] };
