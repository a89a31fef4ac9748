/** What the arguments ask of a program, before any command is loaded (`reference/cli.md` §1.1). */
export type CommandLine = {
  /** Help was asked for, anywhere before a literal `--`. */
  readonly help: boolean;
  /** The version was asked for, before the command's name. */
  readonly version: boolean;
  /** The shells are to be set up, or that is to be undone; anywhere before a literal `--`. */
  readonly autocomplete: { readonly install: boolean; readonly uninstall: boolean };
  /** Flags stand before the command's name. */
  readonly leadingFlags: boolean;
  /** A known name, or the first word if none is known; undefined if there is no word. */
  readonly name: string | undefined;
  /** The arguments after the name. */
  readonly rest: readonly string[];
};

const HELP = new Set(['-h', '-help', '--help']);
const AUTOCOMPLETE = /^--?autocomplete-(?:un)?install$/;
const INSTALL = /^--?autocomplete-install$/;
const UNINSTALL = /^--?autocomplete-uninstall$/;
const VERSION = new Set(['-v', '-version', '--version']);

export function readCommandLine(args: readonly string[], names: ReadonlySet<string>): CommandLine {
  const end = args.indexOf('--');
  const scanned = end === -1 ? args : args.slice(0, end);
  const first = scanned.findIndex((argument) => argument !== '' && !argument.startsWith('-'));
  const leading = first === -1 ? scanned : scanned.slice(0, first);
  const version = leading.some((argument) => VERSION.has(argument));
  const leadingFlags = leading.some(
    (argument) =>
      argument !== '' &&
      !HELP.has(argument) &&
      !VERSION.has(argument) &&
      !AUTOCOMPLETE.test(argument),
  );
  const autocomplete = {
    install: scanned.some((argument) => INSTALL.test(argument)),
    uninstall: scanned.some((argument) => UNINSTALL.test(argument)),
  };
  // A first word with a space in it ends the scan: nothing is called so, and no help is meant.
  if (first === -1 || scanned[first]?.includes(' ')) {
    const help = leading.some((argument) => HELP.has(argument));
    return { help, version, autocomplete, leadingFlags, name: undefined, rest: [] };
  }
  const name = findName(wordsFrom(args.slice(first)), names);
  return {
    help: scanned.some((argument) => HELP.has(argument)),
    version,
    autocomplete,
    leadingFlags,
    name,
    rest: args.slice(first + name.split(' ').length),
  };
}

/** The arguments that may be words of a name. */
function wordsFrom(args: readonly string[]): readonly string[] {
  const end = args.findIndex((a) => a === '' || a.startsWith('-') || a.includes(' '));
  return end === -1 ? args : args.slice(0, end);
}

/**
 * The longest known name that the words start with. SPIRE finds it letter by letter and only then looks whether a word
 * ends there; if not (`entry showx`), it takes the first word.
 */
function findName(words: readonly string[], names: ReadonlySet<string>): string {
  const text = words.join(' ');
  let longest = '';
  for (const name of names) {
    if (name.length > longest.length && text.startsWith(name)) longest = name;
  }
  const whole = longest !== '' && (text.length === longest.length || text[longest.length] === ' ');
  return whole ? longest : (words[0] ?? '');
}
