import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerPage } from './page.ts';

const rows = [2, 4, 6].map((rowId) => ({ rowId, value: `row ${rowId}` }));

const pages: [pageSize: number, pageToken: string, values: string[], nextPageToken: string][] = [
  [0, '', ['row 2', 'row 4', 'row 6'], ''],
  [-1, 'not even a token', ['row 2', 'row 4', 'row 6'], ''],
  [2, '', ['row 2', 'row 4'], '4'],
  [2, '4', ['row 6'], '6'],
  [2, '6', [], ''],
  [2, '3', ['row 4', 'row 6'], '6'],
  [1000, '', ['row 2', 'row 4', 'row 6'], '6'],
  [2, '18446744073709551615', [], ''],
];
for (const [pageSize, pageToken, values, nextPageToken] of pages) {
  test(`page of ${pageSize} after "${pageToken}"`, () => {
    assert.deepEqual(answerPage(rows, { pageSize, pageToken }, 'failed: '), {
      values,
      nextPageToken,
    });
  });
}

for (const pageToken of ['x', '-1', '1.5', ' 1', '18446744073709551616']) {
  test(`refuses the token "${pageToken}"`, () => {
    assert.throws(() => answerPage(rows, { pageSize: 1, pageToken }, 'failed to list agents: '), {
      kind: 'internal',
      message: `failed to list agents: could not parse token '${pageToken}'`,
    });
  });
}
