import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { binaries, runProgram } from '../../kit/programs.ts';
import { missing } from '../../kit/toolchain.ts';
import { laterSteps } from './later-steps.ts';

/** Plays the steps of steps.txt against our programs and compares with what SPIRE answered. */
test('our command lines answer as SPIRE does', { skip: missing('python3') }, async (t) => {
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
  const unexpected = differences.filter((part) => !isLater(nameOf(part)));
  assert.equal(unexpected.length, 0, unexpected.join('\n'));
  const differing = new Set(differences.map(nameOf));
  const agreeing = (await stepNames()).filter((name) => isLater(name) && !differing.has(name));
  t.diagnostic(`of later commands these agree already: ${agreeing.join(' ')}`);
});

test('the list of later steps names only steps that there are', async () => {
  const names = await stepNames();
  for (const start of Object.keys(laterSteps)) {
    assert.ok(
      names.some((name) => name.startsWith(start)),
      `no step is called ${start}`,
    );
  }
});

const isLater = (name: string): boolean =>
  Object.keys(laterSteps).some((start) => name.startsWith(start));

const nameOf = (difference: string): string => /^differs: (\S+)/.exec(difference)?.[1] ?? '';

async function stepNames(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, 'steps.txt'), 'utf8');
  return [...text.matchAll(/^~?([a-z0-9-]+): (?:server|agent) /gm)].map(([, name]) => name ?? '');
}
