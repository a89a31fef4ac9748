import { parseGoDuration } from './duration.ts';
import { reasonOf } from './fault.ts';
import type { Position } from './hcl/position.ts';
import type { Problems } from './problems.ts';

/** What `parse` makes of something; if it throws, undefined, and the problem is told in those words. */
export function attempt<T>(
  problems: Problems,
  parse: () => T,
  words: (reason: string) => string,
  position?: Position,
): T | undefined {
  try {
    return parse();
  } catch (error) {
    problems.add(words(reasonOf(error)), position);
    return undefined;
  }
}

const NANOSECONDS = 1e9;

/** A duration as Go reads it, in seconds. Throws with Go's words. */
export const parseSeconds = (text: string): number => Number(parseGoDuration(text)) / NANOSECONDS;

/** As above, and refuses what lies in the past: the reference accepts it and then works with nonsense. */
export function parsePositiveSeconds(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds < 0) throw new RangeError('must not be negative');
  return seconds;
}
