import type { Position } from './hcl/position.ts';

/** A text of a configuration; the position is undefined where it comes from the command line or is a default. */
export type Located = { readonly text: string; readonly position: Position | undefined };

/** Of a flag, the file's text and the default, the first that is not empty. */
export function firstOf(
  flag: string | undefined,
  { text, position }: Located,
  initial = '',
): Located {
  if (flag !== undefined && flag !== '') return { text: flag, position: undefined };
  return { text: text || initial, position };
}
