import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLine } from './log-line.ts';

const record = {
  milliseconds: 0,
  level: 'info',
  message: 'API accessed',
  fields: { status_code: { text: 'InvalidArgument', json: 3 } },
} as const;

test('a status code is a name in text, and a number in JSON', () => {
  assert.match(formatLine(record, 'text'), / status_code=InvalidArgument\n$/);
  assert.match(formatLine(record, 'json'), /"status_code":3,/);
});
