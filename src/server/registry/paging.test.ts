import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstAfter, pageOf } from './paging.ts';

const rows = [2, 3, 5, 8].map((rowId) => ({ rowId, value: `row ${rowId}` }));

const pages: readonly [token: string, size: number, rowIds: number[], nextToken: string][] = [
  ['', 2, [2, 3], '3'],
  ['3', 2, [5, 8], '8'],
  ['8', 2, [], ''],
  ['', 4, [2, 3, 5, 8], '8'],
  ['', 9, [2, 3, 5, 8], '8'],
  ['4', 1, [5], '5'], // the row of the token may be gone
  ['0', 1, [2], '2'],
  ['007', 1, [8], '8'],
  ['18446744073709551615', 1, [], ''],
];
for (const [token, size, rowIds, nextToken] of pages) {
  test(`after "${token}" a page of ${size} has rows ${rowIds.join(', ') || 'none'}`, () => {
    const page = pageOf(rows, { size, token });
    assert.deepEqual(
      page.rows.map(({ rowId }) => rowId),
      rowIds,
    );
    assert.equal(page.nextToken, nextToken);
  });
}

test('a page of no rows cannot be asked for', () => {
  assert.throws(() => pageOf(rows, { size: 0, token: '' }), {
    kind: 'invalid',
    message: 'cannot paginate with pagesize = 0',
  });
});

for (const token of [
  'x',
  '-1',
  '+1',
  '1.5',
  ' 1',
  '0x1',
  '18446744073709551616',
  '9'.repeat(400),
]) {
  test(`refuses the token "${token.slice(0, 30)}"`, () => {
    assert.throws(() => pageOf(rows, { size: 1, token }), {
      kind: 'invalid',
      message: `could not parse token '${token}'`,
    });
  });
}

test('following the tokens gives every row once, in order', () => {
  const numbers = fc.uniqueArray(fc.nat({ max: 1000 }), { maxLength: 30 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 7 }), (unsorted, size) => {
      const all = unsorted
        .map((n) => n + 1)
        .sort((a, b) => a - b)
        .map((rowId) => ({ rowId, value: 0 }));
      const seen = [];
      for (let token = ''; ; ) {
        const page = pageOf(all, { size, token });
        seen.push(...page.rows);
        if (page.nextToken === '') break;
        token = page.nextToken;
      }
      assert.deepEqual(seen, all);
    }),
  );
});

test('the first row after a number is found where a scan finds it', () => {
  const numbers = fc.uniqueArray(fc.nat({ max: 50 }), { maxLength: 20 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: -1, max: 51 }), (unsorted, rowId) => {
      const all = unsorted.sort((a, b) => a - b).map((n) => ({ rowId: n, value: 0 }));
      const found = all.findIndex((row) => row.rowId > rowId);
      assert.equal(firstAfter(all, rowId), found === -1 ? all.length : found);
    }),
  );
});
