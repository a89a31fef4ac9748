import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { authorizedEntry } from '../../../test/kit/authorized-entry.ts';
import { nearEntries } from './near-entries.ts';

const near = (entries: Readonly<Record<string, readonly string[]>>, ...selectors: string[]) =>
  nearEntries(
    Object.entries(entries).map(([id, own]) => authorizedEntry(id, own)),
    new Set(selectors),
  );
const order = (found: ReturnType<typeof near>) => found.told.map(({ entryId }) => entryId);

test('tells what is lacking, what is there, and what is there in its place', () => {
  const { told } = near(
    { web: ['unix:uid:1000', 'unix:gid:5', 'docker:label:app:web'] },
    'unix:uid:1001',
    'unix:gid:5',
  );
  assert.deepEqual(told, [
    {
      entryId: 'web',
      spiffeId: 'spiffe://cache.test/web',
      has: ['unix:gid:5'],
      lacks: [
        { selector: 'unix:uid:1000', found: ['unix:uid:1001'] },
        { selector: 'docker:label:app:web', found: [] },
      ],
    },
  ]);
});

const rows: readonly [why: string, entries: Record<string, string[]>, expected: string[]][] = [
  [
    'what lacks the least goes first',
    { two: ['unix:uid:1', 'unix:gid:9', 'unix:user:x'], one: ['unix:uid:1', 'unix:gid:9'] },
    ['one', 'two'],
  ],
  [
    'then what the process has the most of',
    { none: ['unix:gid:9'], some: ['unix:uid:1', 'unix:gid:9'] },
    ['some', 'none'],
  ],
  [
    'then what it has something else of the same kind of',
    { far: ['unix:uid:1', 'k8s:ns:a'], close: ['unix:uid:1', 'unix:gid:9'] },
    ['close', 'far'],
  ],
  ['then by ID', { b: ['unix:gid:8'], a: ['unix:gid:9'] }, ['a', 'b']],
  ['what matches is not near', { match: ['unix:uid:1'], near: ['unix:uid:2'] }, ['near']],
  ['what has nothing to do with the process is not near', { far: ['k8s:ns:a'] }, []],
  ['a selector that an entry has twice lacks once', { a: ['unix:gid:9', 'unix:gid:9'] }, ['a']],
];
for (const [why, entries, expected] of rows) {
  test(why, () => {
    assert.deepEqual(order(near(entries, 'unix:uid:1', 'unix:gid:2')), expected);
  });
}

test('no more than ten are told, and how many there are', () => {
  const many = Object.fromEntries(
    Array.from({ length: 25 }, (_, index) => [`e${index}`, [`unix:uid:${index + 100}`]]),
  );
  const { told, count } = near(many, 'unix:uid:1');
  assert.equal(told.length, 10);
  assert.equal(count, 25);
});

test('of hundreds of selectors of a kind a few are told', () => {
  const groups = Array.from({ length: 300 }, (_, index) => `unix:supplementary_gid:${index}`);
  const { told } = near({ a: ['unix:supplementary_gid:999'] }, ...groups);
  assert.equal(told[0]?.lacks[0]?.found.length, 3);
});

test('what is told lacks something, and only what the process has not', () => {
  const selector = fc.constantFrom<string>('a:b:1', 'a:b:2', 'a:c:1', 'd:e', 'd:f', 'g:h:i:j');
  const entries = fc.dictionary(fc.string(), fc.array(selector, { minLength: 1 }));
  fc.assert(
    fc.property(entries, fc.array(selector), (given, had) => {
      for (const { has, lacks } of near(given, ...had).told) {
        assert.ok(lacks.length > 0);
        assert.ok(has.every((one) => had.includes(one)));
        assert.ok(lacks.every((one) => !had.includes(one.selector)));
      }
    }),
  );
});
