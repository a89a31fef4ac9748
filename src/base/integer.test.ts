import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInteger } from './integer.ts';

const rows: readonly (readonly [string, number | string])[] = [
  ['0', 0],
  ['8081', 8081],
  ['-5', -5],
  ['+5', 5],
  ['0x1F', 31],
  ['0o17', 15],
  ['017', 15],
  ['0b101', 5],
  ['1_000', 1000],
  ['0x_ff', 255],
  ['-0', 0],
  ['', 'invalid syntax'],
  ['-', 'invalid syntax'],
  ['08', 'invalid syntax'],
  ['1.5', 'invalid syntax'],
  ['1e3', 'invalid syntax'],
  ['0x', 'invalid syntax'],
  ['_1', 'invalid syntax'],
  ['1__0', 'invalid syntax'],
  [' 1', 'invalid syntax'],
  ['abc', 'invalid syntax'],
  ['9223372036854775808', 'value out of range'],
  ['9'.repeat(1000), 'value out of range'],
];
for (const [text, expected] of rows) {
  test(`${text.slice(0, 30)} is read as ${expected}`, () => {
    assert.equal(parseInteger(text), expected);
  });
}
