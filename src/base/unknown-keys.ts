import type { Settings, UnknownKey } from './settings.ts';

/** A section, as SPIRE names it where it complains of unknown keys, and the keys nobody knows. */
export type UnknownKeys = { readonly section: string; readonly keys: readonly UnknownKey[] };

/**
 * Keeps book of the sections of a configuration, so that keys nobody asked for are found once all is read
 * (`reference/server.md` §1.5).
 */
export class KeyAudit {
  readonly #checked: { readonly section: string; readonly settings: Settings }[] = [];
  readonly #unchecked: { readonly section: string; readonly settings: Settings }[] = [];

  /** A section in which SPIRE refuses unknown keys. */
  refuse(section: string, settings: Settings | undefined): void {
    if (settings !== undefined) this.#checked.push({ section, settings });
  }

  /** A section in which SPIRE passes over them in silence. */
  tolerate(section: string, settings: Settings | undefined): void {
    if (settings !== undefined) this.#unchecked.push({ section, settings });
  }

  /** The keys that were asked for, in small letters, by section: what a configuration may hold. */
  known(): ReadonlyMap<string, ReadonlySet<string>> {
    const all = [...this.#checked, ...this.#unchecked];
    const known = new Map<string, ReadonlySet<string>>();
    for (const { section, settings } of all) {
      known.set(section, new Set([...(known.get(section) ?? []), ...settings.askedKeys]));
    }
    return known;
  }

  /** Unknown keys that end the start. */
  refused(): readonly UnknownKeys[] {
    return this.#checked
      .map(({ section, settings }) => ({ section, keys: settings.unknownKeys() }))
      .filter(({ keys }) => keys.length > 0);
  }

  /** Unknown keys that do no more than deserve a warning: quoted ones, and those of sections that are not checked. */
  tolerated(): readonly UnknownKeys[] {
    const quoted = this.#checked.map(({ section, settings }) => {
      const reported = new Set(settings.unknownKeys().map(({ name }) => name));
      const all = settings.unknownKeys({ quoted: true });
      return { section, keys: all.filter(({ name }) => !reported.has(name)) };
    });
    const unchecked = this.#unchecked.map(({ section, settings }) => ({
      section,
      keys: settings.unknownKeys({ quoted: true }),
    }));
    return [...quoted, ...unchecked].filter(({ keys }) => keys.length > 0);
  }
}

/** As the field `keys` shows them. */
export const keyNames = (keys: readonly { readonly name: string }[]): string =>
  keys.map(({ name }) => name).join(',');
