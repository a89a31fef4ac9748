import { compareBytewise } from './compare-bytewise.ts';
import type { Flags } from './flag.ts';

/** The usage block (`reference/cli.md` §1.5): every flag, sorted, with its type word and default. */
export function usageBlock(title: string, flags: Flags): string {
  const names = Object.keys(flags).sort(compareBytewise);
  return `Usage of ${title}:\n${names.map((name) => usageOf(flags, name)).join('')}`;
}

function usageOf(flags: Flags, name: string): string {
  const spec = flags[name];
  if (spec === undefined) return '';
  const { typeWord, shownDefault } =
    'aliasOf' in spec ? { typeWord: 'value', shownDefault: '' } : spec;
  const word = typeWord === '' ? '' : ` ${typeWord}`;
  const tail = shownDefault === '' ? '' : ` (default ${shownDefault})`;
  return `  -${name}${word}\n    \t${spec.description}${tail}\n`;
}
