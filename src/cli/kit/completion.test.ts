import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completions } from './completion.ts';

const names = [
  'run',
  'entry show',
  'entry create',
  'entry count',
  'local x509 show',
  'local jwt show',
];

const rows: readonly [line: string, expected: string[]][] = [
  ['prog ', ['entry', 'local', 'run']],
  ['prog e', ['entry']],
  ['prog entry', ['entry']],
  ['prog entry ', ['count', 'create', 'show']],
  ['prog entry c', ['count', 'create']],
  ['prog  entry  c', ['count', 'create']],
  ['prog local ', ['jwt', 'x509']],
  ['prog local x509 ', ['show']],
  ['prog entry show ', []],
  ['prog nosuch ', []],
  ['prog -', ['-help', '-version', '-autocomplete-install', '-autocomplete-uninstall']],
  ['prog entry show -h', ['-help']],
  ['prog entry show -s', []],
  ['prog', []],
];
for (const [line, expected] of rows) {
  test(`completes '${line}'`, () => {
    assert.deepEqual(completions(line, names), expected);
  });
}
