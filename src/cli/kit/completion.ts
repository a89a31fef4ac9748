import { compareBytewise } from './compare-bytewise.ts';

const GLOBAL_FLAGS = ['-help', '-version', '-autocomplete-install', '-autocomplete-uninstall'];

/**
 * What could stand where a command line ends (`reference/cli.md` §1.1): the next word of a command's name, or one of
 * the flags that every command has. `line` is what the shell gives in COMP_LINE.
 */
export function completions(line: string, names: readonly string[]): readonly string[] {
  const words = line.trimStart().split(/\s+/).slice(1);
  const last = words.pop();
  if (last === undefined) return [];
  if (last.startsWith('-')) return GLOBAL_FLAGS.filter((flag) => flag.startsWith(last));
  const path = words.filter((word) => !word.startsWith('-'));
  const next = names
    .map((name) => name.split(' '))
    .filter((parts) => path.every((word, index) => parts[index] === word))
    .map((parts) => parts[path.length])
    .filter((part) => part?.startsWith(last) === true);
  return [...new Set(next)].filter((part) => part !== undefined).sort(compareBytewise);
}
