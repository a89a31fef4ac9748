import { appendFile, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault, reasonOf } from '../../base/fault.ts';
import { writeFileAtomically } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { makeFolders } from '../../base/make-folders.ts';

/** Whose shells are set up, and for which program. */
export type ShellSetup = {
  readonly program: string;
  /** Absolute path of what the shells call to complete a command line. */
  readonly launcher: string;
  /** The home directory of the account, whatever HOME says (`reference/cli.md` §1.1). */
  readonly home: string;
  /** XDG_CONFIG_HOME; undefined or empty: `.config` there. */
  readonly configHome: string | undefined;
};

/** Has the shells that the account uses complete the program's commands. Throws if a shell has it, or there is none. */
export const installCompletion = (setup: ShellSetup): Promise<void> =>
  inEachShell(setup, (shell) => shell.install());

/** Undoes it. Throws where a shell does not have it. */
export const uninstallCompletion = (setup: ShellSetup): Promise<void> =>
  inEachShell(setup, (shell) => shell.uninstall());

/** Both throw where there is nothing to do. */
type Shell = { install(): Promise<void>; uninstall(): Promise<void> };

async function inEachShell(
  setup: ShellSetup,
  work: (shell: Shell) => Promise<void>,
): Promise<void> {
  const shells = await findShells(setup);
  if (shells.length === 0) {
    throw new Fault('not-found', `no start-up file of bash, zsh or fish in ${setup.home}`);
  }
  const problems: string[] = [];
  for (const shell of shells) {
    await work(shell).catch((error: unknown) => problems.push(reasonOf(error)));
  }
  if (problems.length > 0) throw new Fault('failed-precondition', problems.join('\n'));
}

/** Bash reads the first of these that there is. */
const BASH_FILES =
  process.platform === 'darwin'
    ? ['.bash_profile']
    : ['.bashrc', '.bash_profile', '.bash_login', '.profile'];

async function findShells(setup: ShellSetup): Promise<readonly Shell[]> {
  const { home, configHome } = setup;
  const bash = await firstThatExists(BASH_FILES.map((name) => join(home, name)));
  const zsh = await firstThatExists([join(home, '.zshrc')]);
  const fish = await firstThatExists([join(configHome || join(home, '.config'), 'fish')]);
  return [
    ...(bash === undefined ? [] : [startUpFile(bash, completeLine(setup))]),
    ...(zsh === undefined ? [] : [startUpFile(zsh, completeLine(setup, '-o nospace '), ZSH_LOADS)]),
    ...(fish === undefined ? [] : [fishFile(fish, setup)]),
  ];
}

async function firstThatExists(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Zsh understands bash's `complete` after this. */
const ZSH_LOADS = 'autoload -U +X bashcompinit && bashcompinit';

/** The shell runs the command as a command line of its own, so that it is quoted once more. */
const completeLine = ({ launcher, program }: ShellSetup, options = ''): string =>
  `complete ${options}-C ${shellWord(shellWord(launcher))} ${program}`;

/** A shell that is set up by a line in a file; `before` is a line that must come first, and stays. */
function startUpFile(path: string, line: string, before?: string): Shell {
  return {
    async install() {
      const lines = (await read(path)).split('\n');
      if (lines.includes(line)) throw new Fault('already-exists', `already installed in ${path}`);
      const added = before === undefined || lines.includes(before) ? [line] : [before, line];
      await appendFile(path, `\n${added.join('\n')}\n`).catch(inGoWords('open', path));
    },
    async uninstall() {
      const lines = (await read(path)).split('\n');
      // With the empty line that was added before it.
      const isOurs = (at: number) => lines[at] === line;
      const kept = lines.filter((each, at) => !isOurs(at) && !(each === '' && isOurs(at + 1)));
      if (kept.length === lines.length) throw new Fault('not-found', `not installed in ${path}`);
      await replace(path, kept.join('\n'));
    },
  };
}

/** Fish reads a file for each command. */
function fishFile(folder: string, { program, launcher }: ShellSetup): Shell {
  const path = join(folder, 'completions', `${program}.fish`);
  return {
    async install() {
      if (await exists(path)) throw new Fault('already-exists', `already installed in ${path}`);
      await makeFolders(dirname(path), 0o755).catch(inGoWords('mkdir', dirname(path)));
      await writeFile(path, fishScript(program, launcher)).catch(inGoWords('open', path));
    },
    async uninstall() {
      if (!(await exists(path))) throw new Fault('not-found', `not installed in ${path}`);
      await rm(path).catch(inGoWords('remove', path));
    },
  };
}

/** What stands before the cursor; a word that is not begun yet is told by a blank at the end. */
const fishScript = (program: string, launcher: string): string =>
  `function __complete_${program}
    set -l line (commandline -cp)
    set -l word (commandline -ct)
    test -n "$word"; or set line "$line "
    env COMP_LINE="$line" ${fishWord(launcher)}
end
complete --command ${program} --no-files --arguments '(__complete_${program})'
`;

/** What is no start-up file any more must not cost us the memory. */
const MAX_BYTES = 1024 * 1024;

async function read(path: string): Promise<string> {
  const { size } = await stat(path).catch(inGoWords('stat', path));
  if (size > MAX_BYTES) throw new Fault('invalid', `${path} is longer than ${MAX_BYTES} bytes`);
  return await readFile(path, 'utf8').catch(inGoWords('open', path));
}

/** Writes beside it first: whoever loses power keeps the file. A link stays one. */
async function replace(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(inGoWords('open', path));
  const { mode } = await stat(target);
  await writeFileAtomically(target, text, { mode: mode & 0o777 }).catch(inGoWords('open', path));
}

const inGoWords =
  (operation: string, path: string) =>
  (error: unknown): never => {
    throw goFileError(operation, path, error);
  };

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

const shellWord = (text: string): string =>
  PLAIN_WORD.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const fishWord = (text: string): string =>
  PLAIN_WORD.test(text) ? text : `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
