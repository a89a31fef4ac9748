/** The keys in the tables of a page about a configuration, by the heading above them. */
export function documentedKeys(page: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const part of page.split(/^##+ /m).slice(1)) {
    const [, heading] = /^`([^`]+)`/.exec(part) ?? [];
    if (heading === undefined) continue;
    // Tables about a block of a block say so in their head, and are no part of the section.
    const tables = part.split(/^(?=\| key)/m).filter((table) => table.startsWith('| key |'));
    const keys = tables.flatMap((table) =>
      [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key = '']) => key.toLowerCase()),
    );
    found.set(heading, new Set(keys));
  }
  return found;
}

/** What a reader of configurations asked a file with all blocks for, by the names that pages have for its sections. */
export const askedKeys = (audit: {
  known(): Iterable<readonly [section: string, keys: ReadonlySet<string>]>;
}): ReadonlyMap<string, ReadonlySet<string>> => {
  const sections = [...audit.known()].map(([section, keys]) => [plainName(section), keys] as const);
  // The blocks of all plugins are read alike.
  return new Map(sections.filter(([, keys]) => keys.size > 0));
};

/** `federates_with "other.test"` is told of as `federates_with`, `brokers[0]` as `brokers`, any plugin's block as `plugins`. */
const plainName = (section: string): string =>
  section.startsWith('plugin ')
    ? 'plugins'
    : section.replace(/ ".*"$/, '').replaceAll(/\[\d+\]/g, '');

/** Its examples of blocks, as they may stand in a file. */
export const examplesOf = (page: string): string[] =>
  [...page.matchAll(/^```hcl\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
