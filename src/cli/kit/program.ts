import type { Command } from './command.ts';
import { type CommandLine, readCommandLine } from './command-line.ts';
import { compareBytewise } from './compare-bytewise.ts';
import { completions } from './completion.ts';
import type { Env } from './env.ts';
import { usageBlock } from './usage.ts';

/** A program: its commands by their names. Only the one that is called is loaded. */
export type Program = {
  readonly name: string;
  readonly version: string;
  readonly commands: CommandTable;
};

export type CommandTable = Readonly<Record<string, CommandRow>>;
export type CommandRow = { readonly synopsis: string; readonly load: () => Promise<Command> };

/** No command, or one that nobody knows (`reference/cli.md` §1.2). */
const EXIT_UNKNOWN_COMMAND = 127;

/** Runs what the arguments ask for; the result is the exit code. */
export async function runProgram(program: Program, env: Env): Promise<number> {
  const typed = env.variables['COMP_LINE'] ?? '';
  if (typed !== '') {
    const words = completions(typed, Object.keys(program.commands));
    env.stdout.write(words.map((word) => `${word}\n`).join(''));
    return 0;
  }
  const known = new Set(Object.keys(program.commands).flatMap(withParents));
  const line = readCommandLine(env.args, known);
  if (isShellSetup(line)) {
    const { setUpShells } = await import('./set-up-shells.ts');
    return await setUpShells(program.name, line.autocomplete, env);
  }
  const answer = answerWithoutCommand(program, line, known);
  if ('name' in answer) return await callCommand(program, answer.name, line, env);
  env.stderr.write(answer.text);
  return answer.code;
}

/** What can be said before any command is loaded; else the name of the command, or of a parent of commands. */
function answerWithoutCommand(
  program: Program,
  { version, help, name }: CommandLine,
  known: ReadonlySet<string>,
): { readonly code: number; readonly text: string } | { readonly name: string } {
  if (version) return { code: 0, text: `${program.version}\n` };
  if (help && name === undefined) return { code: 0, text: programHelp(program) };
  if (name !== undefined && known.has(name)) return { name };
  return { code: EXIT_UNKNOWN_COMMAND, text: programHelp(program) };
}

/** The version and the help of the program come first. */
const isShellSetup = ({ version, help, name, autocomplete }: CommandLine): boolean =>
  (autocomplete.install || autocomplete.uninstall) && !version && !(help && name === undefined);

async function callCommand(
  program: Program,
  name: string,
  { help, leadingFlags, rest }: CommandLine,
  env: Env,
): Promise<number> {
  const tell = (text: string): void => {
    env.stderr.write(text);
  };
  const row = program.commands[name];
  if (row !== undefined && !help && !leadingFlags) return (await row.load()).run(rest, env);
  if (leadingFlags && !help) tell(LEADING_FLAGS);
  await commandHelp(program, name, tell);
  return help ? 0 : 1;
}

const LEADING_FLAGS =
  'Invalid flags before the subcommand. If these flags are for\n' +
  'the subcommand, please put them after the subcommand.\n\n';

/** `a b c` is also a reason for `a b` and `a` to exist. */
const withParents = (name: string): string[] =>
  name.split(' ').map((_, index, words) => words.slice(0, index + 1).join(' '));

/** The list of what there is at the top (`reference/cli.md` §1.3). */
export function programHelp({ name, commands }: Program): string {
  const tops = new Set(Object.keys(commands).map((command) => command.split(' ')[0] ?? ''));
  const rows = [...tops]
    .sort(compareBytewise)
    .map((top) => [top, commands[top]?.synopsis ?? ''] as const);
  return `Usage: ${name} [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n${list(rows)}\n`;
}

/** The usage of a command and of those directly below it, then the list of the latter. */
async function commandHelp(
  { commands }: Program,
  name: string,
  tell: (text: string) => void,
): Promise<void> {
  const children = childrenOf(commands, name);
  const leaf = await commands[name]?.load();
  for (const below of [name, ...children]) {
    const command = await commands[below]?.load();
    if (command !== undefined) tell(usageBlock(command.usageTitle, command.flags));
  }
  tell(leaf?.helpText ?? 'This command is accessed by using one of the subcommands below.');
  tell('\n');
  if (children.length === 0) return;
  const rows = children.map(
    (child) => [child.slice(name.length + 1), commands[child]?.synopsis ?? ''] as const,
  );
  tell(`\nSubcommands:\n${list(rows)}`);
}

function childrenOf(commands: CommandTable, name: string): string[] {
  const depth = name.split(' ').length + 1;
  const below = Object.keys(commands).filter((command) => command.startsWith(`${name} `));
  const direct = below.map((command) => command.split(' ').slice(0, depth).join(' '));
  return [...new Set(direct)].sort(compareBytewise);
}

function list(rows: readonly (readonly [name: string, synopsis: string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows
    .toSorted(([a], [b]) => compareBytewise(a, b))
    .map(([name, synopsis]) => `    ${name.padEnd(width)}    ${synopsis}\n`)
    .join('');
}
