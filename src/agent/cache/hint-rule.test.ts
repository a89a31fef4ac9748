import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Log, silentLog } from '../../ops/log.ts';
import { withoutDuplicateHints } from './hint-rule.ts';

const identity = (id: string, hint: string, createdAt = 0) => ({ entry: { id, hint, createdAt } });

const cases: readonly [
  why: string,
  given: readonly ReturnType<typeof identity>[],
  left: readonly string[],
][] = [
  ['nothing', [], []],
  ['no hints at all', [identity('a', ''), identity('b', '')], ['a', 'b']],
  ['different hints', [identity('a', 'x'), identity('b', 'y')], ['a', 'b']],
  ['the older one stays', [identity('a', 'x', 2), identity('b', 'x', 1)], ['b']],
  ['of one age, the lower ID stays', [identity('b', 'x', 1), identity('a', 'x', 1)], ['a']],
  [
    'the order is kept',
    [identity('a', 'x', 9), identity('b', ''), identity('c', 'x', 1), identity('d', 'y')],
    ['b', 'c', 'd'],
  ],
];
for (const [why, given, left] of cases) {
  test(`hints: ${why}`, () => {
    assert.deepEqual(
      withoutDuplicateHints(given, silentLog).map(({ entry }) => entry.id),
      left,
    );
  });
}

test('each entry that loses is named in the log', () => {
  const lines: unknown[] = [];
  const log: Log = { ...silentLog, warn: (message, fields) => lines.push([message, fields]) };
  withoutDuplicateHints([identity('a', 'x', 2), identity('b', 'x', 1)], log);
  assert.deepEqual(lines, [['Ignoring entry with duplicate hint', { hint: 'x', entry_id: 'a' }]]);
});
