import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram, spireAgent, spireServer, startProgram, steeple } from '../kit/programs.ts';
import { temporaryFolder } from '../kit/temp-dir.ts';

const programs = { 'spire-server': spireServer, 'spire-agent': spireAgent, steeple };

for (const [name, path] of Object.entries(programs)) {
  test(`${name} says its version on standard error, in no time`, async () => {
    const version = name === 'steeple' ? '0.1.0' : '1.16.0';
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      assert.deepEqual(await runProgram([path, '--version']), {
        code: 0,
        stdout: '',
        stderr: `${version}\n`,
      });
      times.push(performance.now() - started);
    }
    const best = Math.min(...times);
    assert.ok(best < 150, `took ${best} ms at best`);
  });

  test(`${name} lists its commands on standard error`, async () => {
    for (const [args, code] of [
      [[], 127],
      [['-h'], 0],
      [['nosuch'], 127],
    ] as const) {
      const outcome = await runProgram([path, ...args]);
      assert.equal(outcome.code, code);
      assert.equal(outcome.stdout, '');
      assert.match(
        outcome.stderr,
        new RegExp(
          `^Usage: ${name} \\[--version\\] \\[--help\\] <command> \\[<args>\\]\n\nAvailable`,
        ),
      );
    }
  });

  test(`${name} runs from any folder and through symbolic links`, async () => {
    await using folder = await temporaryFolder();
    await symlink(path, join(folder.path, 'one'));
    await symlink('one', join(folder.path, 'two'));
    const outcome = await runProgram(['./two', '--version'], { cwd: folder.path });
    assert.equal(outcome.code, 0, outcome.stderr);
  });
}

test('steeple version says whom it stands in for', async () => {
  assert.deepEqual(await runProgram([steeple, 'version']), {
    code: 0,
    stdout: 'Steeple 0.1.0, in place of SPIRE 1.16.0\n',
    stderr: '',
  });
  const { stdout } = await runProgram([steeple, 'version', '-output', 'json']);
  assert.equal(stdout, '{"steeple":"0.1.0","spire":"1.16.0"}\n');
});

test('wit mint is there only with its feature flag', async () => {
  const gated = { env: { SPIRE_SERVER_FFLAGS: 'wit-svid' } };
  const there = await runProgram([spireServer, 'wit', 'mint'], gated);
  assert.deepEqual([there.code, there.stdout], [1, '']);
  assert.match(there.stderr, /spiffeID must be specified/i);
  assert.equal((await runProgram([spireServer, 'wit', 'mint'])).code, 127);
});

test('SIGUSR1 and SIGUSR2 do nothing, and open no debugger', async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'none.sock');
  const watch = startProgram(t, [spireAgent, 'api', 'watch', '-socketPath', socket]);
  await watch.says(/no such file or directory/);
  watch.child.kill('SIGUSR1');
  watch.child.kill('SIGUSR2');
  // The next attempt comes a second later.
  await watch.says(/directory"\n[^]*directory"\n/);
  assert.doesNotMatch(watch.output, /[Dd]ebugger/);
  const { code } = await watch.stop('SIGINT');
  assert.equal(code, 1);
  assert.match(watch.stderr, /\ncontext canceled\n$/);
  assert.equal(watch.stdout, '');
});

test('SIGTERM ends api watch as it ends any program', async (t) => {
  const watch = startProgram(t, [
    spireAgent,
    'api',
    'watch',
    '-socketPath',
    join(tmpdir(), 'none'),
  ]);
  await watch.says(/no such file or directory/);
  assert.equal((await watch.stop('SIGTERM')).signal, 'SIGTERM');
});

test('a reader that goes away ends the program quietly', async () => {
  const child = spawn(steeple, ['version'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(stderr, '');
  assert.ok([0, 141].includes(code), `exit code ${code}`);
});

for (const [why, env, complaint] of [
  ['certificates go unchecked', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /NODE_TLS_REJECT_UNAUTH/],
  ['a debugger can be attached', { NODE_OPTIONS: '--inspect=127.0.0.1:0' }, /debugger/],
] as const) {
  test(`neither program runs where ${why}`, async () => {
    for (const program of [spireServer, spireAgent]) {
      const { code, stdout, stderr } = await runProgram([program, 'run'], { env });
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, complaint);
    }
  });
}
