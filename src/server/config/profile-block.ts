import type { HclItem } from '../../base/hcl/ast.ts';
import { Problems } from '../../base/problems.ts';
import type { Settings } from '../../base/settings.ts';

/** The one labelled block of a profile; its type problems are its own. */
export type ProfileBlock = { readonly name: string; readonly settings: Settings };

/** Reads `profile "name" { … }`. Undefined, with the problem told, unless there is exactly one. */
export function readProfileBlock(
  owner: Settings,
  items: readonly HclItem[],
  problems: Problems,
): ProfileBlock | undefined {
  const last = items.at(-1);
  const blocks = items.flatMap(({ keys, value }) => {
    if (keys.length > 0) return [{ keys, value }];
    return value.kind === 'object' ? value.items : [];
  });
  const at = last?.value.position;
  if (items.some(({ keys, value }) => keys.length === 0 && value.kind !== 'object')) {
    problems.add('malformed configuration', at);
    return undefined;
  }
  const names = new Set(blocks.map(({ keys }) => keys[0]?.name ?? ''));
  const [name] = names;
  if (name === undefined || names.size > 1) {
    problems.add('exactly one bundle endpoint profile is expected', at);
    return undefined;
  }
  const content = blocks.flatMap(({ keys, value }) => {
    const labels = keys.slice(1);
    if (labels.length > 0) return [{ keys: labels, value }];
    return value.kind === 'object' ? value.items : [];
  });
  const position = blocks[0]?.value.position ?? owner.position;
  return {
    name,
    settings: owner.sectionOf(content, position, 'root', new Problems(problems.source)),
  };
}
