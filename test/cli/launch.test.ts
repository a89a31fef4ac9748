import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';

const repository = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Prints how it was called. */
const PROGRAM = `console.log(JSON.stringify({ args: process.argv.slice(2), node: process.execArgv, cwd: process.cwd() }));
process.exitCode = process.argv[2] === 'fail' ? 7 : 0;`;

/** A folder as `make build` or an installation leaves it. */
async function installation(t: TestContext): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'launch '));
  t.after(() => rm(scratch, { recursive: true }));
  const root = join(scratch, 'steeple');
  await cp(join(repository, 'bin'), join(root, 'bin'), { recursive: true });
  await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
  await mkdir(join(root, 'dist'));
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  for (const program of ['spire-server', 'spire-agent', 'steeple']) {
    await writeFile(join(root, `dist/${program}.js`), PROGRAM);
  }
  await writeFile(join(root, 'dist/.built'), '');
  return root;
}

type Call = { readonly args: string[]; readonly node: string[]; readonly cwd: string };

async function launch(
  file: string,
  args: readonly string[] = [],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Call> {
  const { stdout } = await run(file, args, options);
  return JSON.parse(stdout) as Call;
}

async function refusal(file: string, args: readonly string[] = []) {
  const error = await run(file, args).then(
    () => undefined,
    (thrown: unknown) => thrown as { code: number; stdout: string; stderr: string },
  );
  return { code: error?.code, stdout: error?.stdout, stderr: error?.stderr };
}

test('a launcher works from any directory, by any path', async (t) => {
  const root = await installation(t);
  const scratch = join(root, '..');
  await mkdir(join(scratch, 'links'));
  await symlink(join(root, 'bin/spire-server'), join(scratch, 'links/absolute'));
  await symlink('../steeple/bin/spire-server', join(scratch, 'links/relative'));
  await symlink('links/relative', join(scratch, 'chained'));
  const PATH = `${join(scratch, 'links')}:${process.env['PATH'] ?? ''}`;
  const ways: readonly (readonly [
    string,
    readonly string[],
    { cwd?: string; env?: NodeJS.ProcessEnv },
  ])[] = [
    [join(root, 'bin/spire-server'), [], { cwd: '/' }],
    ['./bin/spire-server', [], { cwd: root }],
    ['./spire-server', [], { cwd: join(root, 'bin') }],
    ['sh', ['spire-server'], { cwd: join(root, 'bin') }],
    [join(scratch, 'links/absolute'), [], { cwd: '/' }],
    ['./relative', [], { cwd: join(scratch, 'links') }],
    [join(scratch, 'chained'), [], { cwd: '/' }],
    ['relative', [], { cwd: '/', env: { ...process.env, PATH } }],
  ];
  for (const [file, before, options] of ways) {
    const call = await launch(file, [...before, 'run', '-config', 'a b'], options);
    assert.deepEqual(call.args, ['run', '-config', 'a b'], file);
    assert.equal(call.cwd, options.cwd, file);
  }
});

test('arguments arrive as they were given, and the exit code comes back', async (t) => {
  const root = await installation(t);
  const args = ['', 'a  b', '*', '$HOME', "'", '"', 'é', '--', '-x'];
  assert.deepEqual((await launch(join(root, 'bin/steeple'), args)).args, args);
  const { code } = await refusal(join(root, 'bin/spire-agent'), ['fail']);
  assert.equal(code, 7);
});

test('the agent gets a small nursery', async (t) => {
  const root = await installation(t);
  const flag = '--max-semi-space-size=1';
  assert.ok((await launch(join(root, 'bin/spire-agent'))).node.includes(flag));
  assert.ok(!(await launch(join(root, 'bin/spire-server'))).node.includes(flag));
});

test('what is not built is refused', async (t) => {
  const root = await installation(t);
  await rm(join(root, 'dist'), { recursive: true });
  assert.deepEqual(await refusal(join(root, 'bin/spire-server')), {
    code: 1,
    stdout: '',
    stderr: `spire-server: not built yet; run 'make build' in ${root}\n`,
  });
});

/** The time of `dist/.built` in the next test; one is older, the other newer. */
const [OLDER, BUILT, NEWER] = [1000, 2000, 3000];

test('a build that is older than the sources is refused, but tests and folders do not count', async (t) => {
  const root = await installation(t);
  await mkdir(join(root, 'src/base'), { recursive: true });
  await mkdir(join(root, 'tools'));
  const files = ['src/base/a.ts', 'tools/build.ts', 'package.json'];
  for (const file of ['src/base/a.test.ts', 'src/base/a.suite.ts', ...files.slice(0, 2)]) {
    await writeFile(join(root, file), '');
  }
  const touch = (file: string, time: number) => utimes(join(root, file), time, time);
  await touch('dist/.built', BUILT);
  for (const file of files) await touch(file, OLDER);
  await launch(join(root, 'bin/spire-server'));
  for (const file of files) {
    await touch(file, NEWER);
    assert.deepEqual(await refusal(join(root, 'bin/spire-server')), {
      code: 1,
      stdout: '',
      stderr: `spire-server: dist is older than ${file}; run 'make build' in ${root}\n`,
    });
    await touch(file, OLDER);
  }
});

test('without the pinned Node, one that is too old is refused', async (t) => {
  const root = await installation(t);
  await rm(join(root, 'node_modules'));
  const old = join(root, '../old');
  await mkdir(old);
  await writeFile(join(old, 'node'), '#!/bin/sh\n[ "$1" = --version ] && echo v20.1.0\nexit 1\n', {
    mode: 0o755,
  });
  const failed = run(join(root, 'bin/spire-server'), [], {
    env: { PATH: `${old}:/usr/bin:/bin` },
  });
  await assert.rejects(failed, {
    code: 1,
    stderr: 'spire-server: Node.js v20.1.0 is too old; version 24.12 or later is needed\n',
  });
});

/** What the heap's size follows: which group we are in, and the limits that files hold. */
const groups: readonly (readonly [string, string, Record<string, string>, string])[] = [
  ['no group at all', '', {}, ''],
  ['no limit', '0::/a\n', { 'a/memory.max': 'max\n' }, ''],
  ['a limit', '0::/a\n', { 'a/memory.max': '1073741824\n' }, '--max-old-space-size=768'],
  [
    'the limit of a group above',
    '0::/a/b/c\n',
    { 'a/memory.max': '536870912', 'a/b/c/memory.max': 'max' },
    '--max-old-space-size=384',
  ],
  [
    'the lowest of several',
    '0::/a/b\n',
    { 'a/memory.max': '1073741824', 'a/b/memory.max': '268435456' },
    '--max-old-space-size=192',
  ],
  [
    'a container that sees only its own group',
    '0::/host/path\n',
    { 'memory.max': '1073741824' },
    '--max-old-space-size=768',
  ],
  ['the root group', '0::/\n', { 'memory.max': '1073741824' }, '--max-old-space-size=768'],
  [
    'the first version',
    '4:memory:/a\n1:cpu:/\n',
    { 'memory/a/memory.limit_in_bytes': '1073741824' },
    '--max-old-space-size=768',
  ],
  [
    'the first version without a limit',
    '4:memory:/\n',
    { 'memory/memory.limit_in_bytes': '9223372036854771712' },
    '',
  ],
  [
    'controllers that share a mount',
    '4:cpu,memory:/a\n',
    { 'memory/a/memory.limit_in_bytes': '1073741824' },
    '--max-old-space-size=768',
  ],
  ['a file that holds no number', '0::/a\n', { 'a/memory.max': 'x1\n' }, ''],
];
test('the heap follows the memory limit of the control group', async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'groups '));
  t.after(() => rm(scratch, { recursive: true }));
  for (const [index, [what, membership, files, flag]] of groups.entries()) {
    const mount = join(scratch, String(index));
    await mkdir(mount);
    await writeFile(join(mount, 'membership'), membership);
    for (const [file, content] of Object.entries(files)) {
      await mkdir(join(mount, file, '..'), { recursive: true });
      await writeFile(join(mount, file), content);
    }
    const script = '. "$1/heap-flag.sh"; heap_flag "$2/membership" "$2"';
    const { stdout } = await run('sh', ['-c', script, 'sh', join(repository, 'bin'), mount]);
    assert.equal(stdout.trim(), flag, what);
  }
});
