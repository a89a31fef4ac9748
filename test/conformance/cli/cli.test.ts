import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { binaries, runProgram } from '../../kit/programs.ts';
import { missing } from '../../kit/toolchain.ts';

/** Plays the steps of steps.txt against our programs and compares with what SPIRE answered. */
test('our command lines answer as SPIRE does', { skip: missing('python3') }, async () => {
  const script = join(import.meta.dirname, 'cli.py');
  const { stdout, stderr } = await runProgram(['python3', '-B', script, 'check', binaries, '-v']);
  assert.match(
    stdout,
    /^\d+ passed, \d+ failed$/m,
    `the steps were not played:\n${stdout}${stderr}`,
  );
  const differences = stdout
    .split(/^(?=differs: )/m)
    .filter((part) => part.startsWith('differs: '));
  assert.equal(differences.length, 0, differences.join('\n'));
});
