import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLine } from './log-line.ts';

const record = {
  milliseconds: 0,
  level: 'info',
  message: 'API accessed',
  fields: { status_code: { text: 'InvalidArgument', json: 3 } },
} as const;

test('a list is words in text, and a list in JSON, escaped as all text is', () => {
  const subject = { Country: ['<US>\ud800'], CommonName: '', Names: null };
  const fields = { subject: { text: 'C=<US>', json: subject } };
  assert.match(formatLine({ ...record, fields }, 'text'), / subject="C=<US>"\n$/);
  assert.match(
    formatLine({ ...record, fields }, 'json'),
    /"subject":\{"Country":\["\\u003cUS\\u003e\ufffd"\],"CommonName":"","Names":null\},/,
  );
});

test('a status code is a name in text, and a number in JSON', () => {
  assert.match(formatLine(record, 'text'), / status_code=InvalidArgument\n$/);
  assert.match(formatLine(record, 'json'), /"status_code":3,/);
});
