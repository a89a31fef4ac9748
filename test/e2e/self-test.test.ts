import assert from 'node:assert/strict';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Program, root, runProgram } from '../kit/programs.ts';
import { startServerOnly } from '../kit/trust-domain.ts';

/** SPIRE's scenario self-test: what these tests are driven by must not go on after a command that failed. */
test('a step ends with its first command that fails, and so does the test', async (t) => {
  const folder = await temporaryFolder(t);
  const done = join(folder, 'done');
  const step = (command: string) => `
    import { writeFileSync } from 'node:fs';
    import { test } from 'node:test';
    import { startServerOnly } from '${root}/test/kit/trust-domain.ts';
    test('a step', async (t) => {
      const domain = await startServerOnly(t);
      await domain.runServer(${command});
      writeFileSync('${done}', '');
    });`;
  const runStep = async (command: string) => {
    const file = join(folder, `step-${command.length}.test.mjs`);
    await writeFile(file, step(command));
    // Inside a test, another run of tests would only report to this one.
    const env = { NODE_TEST_CONTEXT: undefined };
    const { code, stdout } = await runProgram([process.execPath, '--test', file], { env });
    const wentOn = await access(done).then(
      () => true,
      () => false,
    );
    return { code, stdout, wentOn };
  };
  const failed = await runStep(`'entry', 'delete', '-entryID', 'none'`);
  assert.deepEqual([failed.code, failed.wentOn], [1, false], failed.stdout);
  const well = await runStep(`'entry', 'count'`);
  assert.deepEqual([well.code, well.wentOn], [0, true], well.stdout);
});

test('whoever waits for words of a program is told at once that it ended without them', async () => {
  const program = new Program([process.execPath, '-e', 'console.log("other words")']);
  await assert.rejects(program.says(/these words/), {
    message: /^the program ended without saying \/these words\/:\nother words/,
  });
});

test('a server that cannot start fails the test that starts it', async (t) => {
  await assert.rejects(startServerOnly(t, { server: 'ca_ttl = "soon"' }), /it ended at the start/);
});

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'self-test-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}
