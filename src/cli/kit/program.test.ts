import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeEnv } from '../../../test/kit/run-command.ts';
import { makeCommand } from './command.ts';
import { flag } from './flag.ts';
import { type Program, runProgram } from './program.ts';

const kind = { flagFailure: () => '', failure: (reason: string) => `Error: ${reason}\n` };

const leaf = (name: string, helpText?: string) => ({
  synopsis: `About ${name}`,
  load: async () =>
    makeCommand({
      name,
      flags: { x: flag.string('An x') },
      sharedFlags: {},
      kind: { ...kind, ...(helpText !== undefined && { helpText }) },
      async run({ x }, _shared, env) {
        env.stdout.write(`${name} ran with ${x}`);
        return 3;
      },
    }),
});

const program: Program = {
  name: 'prog',
  version: '1.2.3',
  commands: {
    healthcheck: leaf('healthcheck'),
    'entry show': leaf('entry show'),
    'entry create': leaf('entry create'),
    'api fetch': leaf('api fetch', ''),
    'api fetch jwt': leaf('api fetch jwt', ''),
    'local x509 show': leaf('local x509 show'),
    'local jwt show': leaf('local jwt show'),
  },
};

async function run(...args: string[]) {
  const { env, outcome } = fakeEnv(args);
  return outcome(await runProgram(program, env));
}

const usage = (name: string): string => `Usage of ${name}:\n  -x string\n    \tAn x\n`;
const topHelp = `Usage: prog [--version] [--help] <command> [<args>]

Available commands are:
    api            
    entry          
    healthcheck    About healthcheck
    local          

`;
const list = (...lines: string[]): string =>
  `This command is accessed by using one of the subcommands below.\n\nSubcommands:\n${lines.map((line) => `    ${line}\n`).join('')}`;
const entryHelp =
  usage('entry create') +
  usage('entry show') +
  list('create    About entry create', 'show      About entry show');
const localHelp = list('jwt     ', 'x509    ');
const x509Help = usage('local x509 show') + list('show    About local x509 show');
const fetchHelp = `${usage('api fetch')}${usage('api fetch jwt')}\n\nSubcommands:\n    jwt    About api fetch jwt\n`;
const leading =
  'Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n\n';
const showHelp = `${usage('entry show')}flag: help requested\n`;

const rows: readonly [args: string[], code: number, stderr: string, stdout?: string][] = [
  [['--version'], 0, '1.2.3\n'],
  [['-v'], 0, '1.2.3\n'],
  [['-version', 'entry', 'show'], 0, '1.2.3\n'],
  [[], 127, topHelp],
  [['-h'], 0, topHelp],
  [['--help'], 0, topHelp],
  [['nosuch'], 127, topHelp],
  [['nosuch', '-h'], 127, topHelp],
  [['healthcheckx'], 127, topHelp],
  [['--', 'entry', 'show'], 127, topHelp],
  [['-x', 'entry show'], 127, topHelp],
  [['-x', 'value', 'entry', 'show'], 127, topHelp],
  [['entry'], 1, entryHelp],
  [['entry', '-h'], 0, entryHelp],
  [['entry', 'bogus'], 1, entryHelp],
  [['entry', 'showx'], 1, entryHelp],
  [['local'], 1, localHelp],
  [['local', 'x509', 'bogus'], 1, x509Help],
  [['local', 'x509', 'showx'], 1, localHelp],
  [['api', 'fetch', '-h'], 0, fetchHelp],
  [['entry', 'show', '-h'], 0, showHelp],
  [['entry', 'show', '-x', '--help'], 0, showHelp],
  [['-x', 'entry', 'show'], 1, `${leading}${showHelp}`],
  [['entry', 'show', '-x', 'v'], 3, '', 'entry show ran with v'],
  [['', 'entry', 'show', '-x', 'v'], 3, '', 'entry show ran with v'],
  [['entry', 'show', '--', '-h'], 3, '', 'entry show ran with '],
  [['entry', 'show', 'more', '-x', 'v'], 3, '', 'entry show ran with '],
  [['api', 'fetch', 'bogus'], 3, '', 'api fetch ran with '],
  [['entry', 'show', '-v'], 1, `flag provided but not defined: -v\n${usage('entry show')}`],
  [['entry', 'show', '-h=1'], 1, usage('entry show')],
];
for (const [args, code, stderr, stdout = ''] of rows) {
  test(`prog ${args.map((arg) => JSON.stringify(arg)).join(' ')}`, async () => {
    assert.deepEqual(await run(...args), { code, stdout, stderr, dialled: [] });
  });
}

test('answers the shell that completes a command line', async () => {
  const { env, outcome } = fakeEnv([], { variables: { COMP_LINE: 'prog entry ' } });
  const { code, stdout } = outcome(await runProgram(program, env));
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'create\nshow\n' });
});
