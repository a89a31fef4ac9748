import { formatGoDuration, parseGoDuration } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { parseGoInt } from './go-int.ts';

/** One flag of a command: how it is shown in the usage block, and how its text becomes a value. */
export type Flag<T> = {
  /** The word after the name in the usage block; '' for flags that stand alone. */
  readonly typeWord: string;
  /** A flag that stands alone takes a value only in the form `-name=value`. */
  readonly standsAlone: boolean;
  readonly description: string;
  /** As the usage block shows it; '' when there is none to show. */
  readonly shownDefault: string;
  readonly initial: T;
  /** The value after one more occurrence of the flag. Throws a Fault whose message is the reason alone. */
  set(text: string, current: T): T;
};

/** A second name for another flag of the same command: both share one value. */
export type FlagAlias = { readonly aliasOf: string; readonly description: string };

export type Flags = Readonly<Record<string, Flag<unknown> | FlagAlias>>;

/** The values of a command's flags, by flag name. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F as F[K] extends FlagAlias ? never : K]: F[K] extends Flag<infer T>
    ? T
    : never;
};

/** The kinds of flags (`reference/cli.md` §1.6). */
export const flag = {
  string: (description: string, initial = ''): Flag<string> => ({
    typeWord: 'string',
    standsAlone: false,
    description,
    shownDefault: initial === '' ? '' : goQuote(initial),
    initial,
    set: (text) => text,
  }),

  /** A 64-bit integer. */
  int: (description: string, initial = 0n): Flag<bigint> => ({
    typeWord: 'int',
    standsAlone: false,
    description,
    shownDefault: initial === 0n ? '' : String(initial),
    initial,
    set: parseGoInt,
  }),

  bool: (description: string): Flag<boolean> => ({
    typeWord: '',
    standsAlone: true,
    description,
    shownDefault: '',
    initial: false,
    set: parseGoBool,
  }),

  /** Nanoseconds. */
  duration: (description: string, initial = 0n): Flag<bigint> => ({
    typeWord: 'duration',
    standsAlone: false,
    description,
    shownDefault: initial === 0n ? '' : formatGoDuration(initial),
    initial,
    set(text) {
      try {
        return parseGoDuration(text);
      } catch {
        throw new Fault('invalid', 'parse error');
      }
    },
  }),

  /** A duration in nanoseconds that names its own mistakes: the agent's `-timeout`. */
  durationValue: (description: string, initial: bigint): Flag<bigint> => ({
    typeWord: 'value',
    standsAlone: false,
    description,
    shownDefault: formatGoDuration(initial),
    initial,
    set: parseGoDuration,
  }),

  /** May be given several times; every occurrence adds its text as it is. */
  strings: (description: string): Flag<readonly string[]> => ({
    typeWord: 'value',
    standsAlone: false,
    description,
    shownDefault: '',
    initial: [],
    set: (text, current) => [...current, text],
  }),

  /** Each occurrence replaces the list by its comma separated parts. */
  commaStrings: (description: string): Flag<readonly string[]> => ({
    typeWord: 'value',
    standsAlone: false,
    description,
    shownDefault: '',
    initial: [],
    set: (text) => text.split(','),
  }),

  /** `true` and `false` filter, any other text does not; never wrong. */
  triState: (description: string): Flag<boolean | undefined> => ({
    typeWord: 'value',
    standsAlone: false,
    description,
    shownDefault: '',
    initial: undefined,
    set: (text) => TRI_STATES[text],
  }),

  /** Any occurrence means true, `-name=false` included. */
  presence: (description: string): Flag<boolean> => ({
    typeWord: '',
    standsAlone: true,
    description,
    shownDefault: '',
    initial: false,
    set: () => true,
  }),

  aliasOf: (aliasOf: string, description: string): FlagAlias => ({ aliasOf, description }),
} as const;

const TRI_STATES: Readonly<Record<string, boolean | undefined>> = { true: true, false: false };

const BOOLS = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

function parseGoBool(text: string): boolean {
  const value = BOOLS.get(text);
  if (value === undefined) throw new Fault('invalid', 'parse error');
  return value;
}
