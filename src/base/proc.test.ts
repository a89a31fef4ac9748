import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { processExecutable, processExists, processStartTime, readProcessStatus } from './proc.ts';

/** A `/proc` with one process of number 1 and those files. */
async function fakeProc(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  await mkdir(join(folder.path, '1'));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder.path, '1', name), content);
  }
  return folder;
}

test('this process, as the kernel shows it', async () => {
  const { uids, gids } = await readProcessStatus(process.pid);
  assert.equal(uids[1], String(process.geteuid?.()));
  assert.equal(gids[1], String(process.getegid?.()));
  assert.equal(await processExecutable(process.pid), await readlink('/proc/self/exe'));
  assert.equal(await processExists(process.pid), true);
  const stat = await readFile('/proc/self/stat', 'utf8');
  assert.equal(await processStartTime(process.pid), stat.split(' ')[21]);
});

test('a process that has gone', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const pid = child.pid ?? 0;
  assert.equal(await processExists(pid), false);
  const gone = { message: new RegExp(`^\\w+ /proc/${pid}/\\w+: no such file or directory$`) };
  await assert.rejects(readProcessStatus(pid), gone);
  await assert.rejects(processStartTime(pid), gone);
  await assert.rejects(processExecutable(pid), gone);
});

test('a status with one number, with other cases, without groups', async () => {
  await using proc = await fakeProc({
    status: 'Name:\tx\nUid:\t7\nGID:\t1\t2\t3\t4\ngroups: 5  6\t7 \nnot a line\n',
  });
  assert.deepEqual(await readProcessStatus(1, proc.path), {
    uids: ['7'],
    gids: ['1', '2', '3', '4'],
    supplementaryGids: ['5', '6', '7'],
  });
  await writeFile(join(proc.path, '1', 'status'), '');
  assert.deepEqual(await readProcessStatus(1, proc.path), {
    uids: [],
    gids: [],
    supplementaryGids: [],
  });
});

const after = (count: number, startTime = '4711') =>
  ['S', ...Array<string>(18).fill('0'), startTime, ...Array<string>(count).fill('0')].slice(
    0,
    count,
  );

for (const name of ['x', 'a b', ') S 1 2 (', '(((', '']) {
  test(`the start time of a process whose name is "${name}"`, async () => {
    await using proc = await fakeProc({ stat: `1 (${name}) ${after(50).join(' ')}\n` });
    assert.equal(await processStartTime(1, proc.path), '4711');
  });
}

for (const [why, stat] of [
  ['empty', ''],
  ['without a name', after(60).join(' ')],
  ['cut off', `1 (x) ${after(37).join(' ')}`],
  ['with a start time that is no number', `1 (x) ${after(50, '-1').join(' ')}`],
] as const) {
  test(`refuses a stat that is ${why}`, async () => {
    await using proc = await fakeProc({ stat });
    await assert.rejects(processStartTime(1, proc.path), {
      kind: 'internal',
      message: /does not have the expected fields$/,
    });
  });
}

test('refuses files that are far too large', async () => {
  await using proc = await fakeProc({ stat: 'x'.repeat(20_000), status: 'x'.repeat(2_000_000) });
  await assert.rejects(processStartTime(1, proc.path), { kind: 'invalid', message: /longer than/ });
  await assert.rejects(readProcessStatus(1, proc.path), { kind: 'invalid' });
});

test('where /proc is no mount point, signals say what exists', async () => {
  await using proc = await temporaryFolder();
  assert.equal(await processExists(process.pid, proc.path), true);
  assert.equal(await processExists(1, join(proc.path, 'none')), true);
  assert.equal(await processExists(2 ** 22 + 1, proc.path), false);
  await symlink('/proc', join(proc.path, 'link'));
  assert.equal(await processExists(process.pid, join(proc.path, 'link')), true);
});

test('no stat does anything but parse or be refused', async () => {
  await using proc = await fakeProc({});
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 300 }), async (stat) => {
      await writeFile(join(proc.path, '1', 'stat'), stat);
      const outcome = await processStartTime(1, proc.path).catch((error: Error) => error.name);
      assert.match(outcome, /^(?:\d+|Fault)$/);
    }),
    { numRuns: 30 },
  );
});

test('what is left of a process until its parent asks for it has no start time any more', async () => {
  // The shell becomes a program that never asks for the child it began with, before that ends.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const deadline = Date.now() + 5000;
    while (!/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))) {
      assert.ok(Date.now() < deadline, 'it does not end');
    }
    await assert.rejects(processStartTime(pid), {
      kind: 'not-found',
      message: `process ${pid} has ended`,
    });
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  }
});
