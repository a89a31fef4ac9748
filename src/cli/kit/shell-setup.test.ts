import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fakeEnv } from '../../../test/kit/run-command.ts';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { runProgram } from './program.ts';

const LAUNCHER = '/opt/steeple/bin/prog';
const BASH = `complete -C ${LAUNCHER} prog`;
const ZSH_LOADS = 'autoload -U +X bashcompinit && bashcompinit';
const ZSH = `complete -o nospace -C ${LAUNCHER} prog`;
const DATE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /;

/** An account whose shells can be set up. */
async function account(t: TestContext, files: Readonly<Record<string, string>> = {}) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const home = folder.path;
  const path = (name: string) => join(home, name);
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text);
  const run = async (
    args: readonly string[],
    world: { launcher?: string; config?: string } = {},
  ) => {
    const { env, outcome } = fakeEnv(args, {
      variables: world.config === undefined ? {} : { XDG_CONFIG_HOME: world.config },
    });
    const host = {
      ...env.host,
      homeFolder: () => home,
      launcher: (program: string) => world.launcher ?? `/opt/steeple/bin/${program}`,
    };
    const program = {
      name: 'prog',
      version: '1',
      commands: { 'entry show': { synopsis: '', load: () => assert.fail('no command is called') } },
    };
    const { code, stdout, stderr } = outcome(await runProgram(program, { ...env, host }));
    assert.equal(stdout, '');
    return { code, stderr };
  };
  const text = (name: string) => readFile(path(name), 'utf8');
  return { home, path, run, text };
}

const DONE = { code: 0, stderr: '' };

test('sets up each shell that is in use, and undoes it', async (t) => {
  const { path, run, text } = await account(t, {
    '.bashrc': 'a\nb',
    '.profile': 'p\n',
    '.zshrc': 'z\n',
  });
  await mkdir(path('.config/fish'), { recursive: true });
  assert.deepEqual(await run(['-autocomplete-install']), DONE);
  assert.equal(await text('.bashrc'), `a\nb\n${BASH}\n`);
  assert.equal(await text('.profile'), 'p\n');
  assert.equal(await text('.zshrc'), `z\n\n${ZSH_LOADS}\n${ZSH}\n`);
  const fish = await text('.config/fish/completions/prog.fish');
  assert.match(fish, /env COMP_LINE="\$line" \/opt\/steeple\/bin\/prog$/m);
  assert.match(fish, /^complete --command prog /m);

  assert.deepEqual(await run(['--autocomplete-uninstall']), DONE);
  assert.equal(await text('.bashrc'), 'a\nb\n');
  assert.equal(await text('.zshrc'), `z\n\n${ZSH_LOADS}\n`);
  assert.deepEqual(await readdir(path('.config/fish/completions')), []);
});

for (const [name, others] of [
  ['.bashrc', ['.bash_profile', '.bash_login', '.profile']],
  ['.bash_profile', ['.bash_login', '.profile']],
  ['.bash_login', ['.profile']],
  ['.profile', []],
] as const) {
  test(`of bash's files ${name} comes before ${others.join(', ') || 'nothing'}`, async (t) => {
    const all = Object.fromEntries([name, ...others].map((file) => [file, '']));
    const { run, text } = await account(t, all);
    assert.deepEqual(await run(['-autocomplete-install']), DONE);
    assert.equal(await text(name), `\n${BASH}\n`);
    for (const other of others) assert.equal(await text(other), '');
  });
}

test('leaves a file as it was', async (t) => {
  const { run, text } = await account(t, { '.bashrc': 'a\n\nb\n' });
  assert.deepEqual(await run(['-autocomplete-install']), DONE);
  assert.deepEqual(await run(['-autocomplete-uninstall']), DONE);
  assert.equal(await text('.bashrc'), 'a\n\nb\n');
});

test('what another tool has loaded in zsh is not loaded twice', async (t) => {
  const { run, text } = await account(t, { '.zshrc': `${ZSH_LOADS}\n` });
  await run(['-autocomplete-install']);
  assert.equal(await text('.zshrc'), `${ZSH_LOADS}\n\n${ZSH}\n`);
});

test('fish may be configured elsewhere', async (t) => {
  const { path, run, text } = await account(t);
  await mkdir(path('xdg/fish'), { recursive: true });
  assert.deepEqual(await run(['-autocomplete-install'], { config: path('xdg') }), DONE);
  assert.match(await text('xdg/fish/completions/prog.fish'), /COMP_LINE/);
});

test('a path with blanks and quotes is quoted for each shell', async (t) => {
  const { path, run, text } = await account(t, { '.bashrc': '' });
  await mkdir(path('.config/fish'), { recursive: true });
  await run(['-autocomplete-install'], { launcher: "/it's here/prog" });
  assert.equal(
    await text('.bashrc'),
    `\ncomplete -C ''\\''/it'\\''\\'\\'''\\''s here/prog'\\''' prog\n`,
  );
  assert.match(await text('.config/fish/completions/prog.fish'), / '\/it\\'s here\/prog'$/m);
});

test('works wherever the flag stands, but for the version and help of the program', async (t) => {
  const { run, text } = await account(t, { '.bashrc': '' });
  assert.deepEqual(await run(['-version', '-autocomplete-install']), { code: 0, stderr: '1\n' });
  const { stderr } = await run(['-h', '-autocomplete-install']);
  assert.match(stderr, /^Usage: prog /);
  assert.equal(await text('.bashrc'), '');
  assert.deepEqual(await run(['entry', 'show', '-autocomplete-install']), DONE);
  assert.equal(await text('.bashrc'), `\n${BASH}\n`);
});

test('a file keeps its mode, and a link stays one', async (t) => {
  const { path, run, text } = await account(t, { real: `x\n${BASH}\ny` });
  await chmod(path('real'), 0o600);
  await symlink('real', path('.bashrc'));
  assert.deepEqual(await run(['-autocomplete-uninstall']), DONE);
  assert.equal(await text('real'), 'x\ny');
  assert.equal((await stat(path('real'))).mode & 0o777, 0o600);
  assert.ok((await lstat(path('.bashrc'))).isSymbolicLink());
});

test('refuses both at once, and changes nothing', async (t) => {
  const { run, text } = await account(t, { '.bashrc': 'a' });
  const { code, stderr } = await run(['-autocomplete-install', '-autocomplete-uninstall']);
  assert.equal(code, 1);
  assert.match(stderr, DATE);
  assert.match(stderr, / -autocomplete-install and -autocomplete-uninstall exclude each other\n$/);
  assert.equal(await text('.bashrc'), 'a');
});

test('refuses an account without a shell that it knows', async (t) => {
  const { home, run } = await account(t);
  const { code, stderr } = await run(['-autocomplete-install']);
  assert.equal(code, 1);
  assert.equal(stderr.replace(DATE, ''), `no start-up file of bash, zsh or fish in ${home}\n`);
  assert.deepEqual(await readdir(home), []);
});

test('tells what is installed already, and sets up the others', async (t) => {
  const { path, run, text } = await account(t, { '.bashrc': '' });
  await run(['-autocomplete-install']);
  await writeFile(path('.zshrc'), '');
  const { code, stderr } = await run(['-autocomplete-install']);
  assert.equal(code, 1);
  assert.equal(stderr.replace(DATE, ''), `already installed in ${path('.bashrc')}\n`);
  assert.equal(await text('.bashrc'), `\n${BASH}\n`);
  assert.equal(await text('.zshrc'), `\n${ZSH_LOADS}\n${ZSH}\n`);
});

test('tells what is not installed, each shell in a line', async (t) => {
  const { path, run } = await account(t, { '.bashrc': 'a', '.zshrc': `${BASH}\n` });
  await mkdir(path('.config/fish'), { recursive: true });
  const { code, stderr } = await run(['-autocomplete-uninstall']);
  assert.equal(code, 1);
  assert.deepEqual(stderr.replace(DATE, '').split('\n'), [
    `not installed in ${path('.bashrc')}`,
    `not installed in ${path('.zshrc')}`,
    `not installed in ${path('.config/fish/completions/prog.fish')}`,
    '',
  ]);
});

test('tells of a file that cannot be read or is none', async (t) => {
  const { path, run } = await account(t);
  await mkdir(path('.bashrc'));
  const { code, stderr } = await run(['-autocomplete-install']);
  assert.equal(code, 1);
  assert.equal(stderr.replace(DATE, ''), `read ${path('.bashrc')}: is a directory\n`);
  await rm(path('.bashrc'), { recursive: true });
  await writeFile(path('.bashrc'), 'x'.repeat(1024 * 1024 + 1));
  assert.match((await run(['-autocomplete-install'])).stderr, /is longer than 1048576 bytes/);
});
