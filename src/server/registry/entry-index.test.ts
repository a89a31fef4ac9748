import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newEntry } from '../../../test/kit/datastore.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { parseSelector, selectorText } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Row } from '../datastore/contract.ts';
import type { EntryFilter, SetMatch } from './contract.ts';
import { EntryIndex } from './entry-index.ts';

function indexOf(...entries: readonly Parameters<typeof newEntry>[0][]): EntryIndex {
  const index = new EntryIndex();
  for (const [position, fields] of entries.entries()) {
    const value = {
      ...newEntry({ id: String(position), ...fields }),
      revisionNumber: 0,
      createdAt: 0,
    };
    index.put({ rowId: position + 1, value });
  }
  return index;
}

const idsOf = (rows: readonly Row<Entry>[]): string[] => rows.map(({ value }) => value.id);
const set = (...texts: string[]) => texts.map(parseSelector);

const index = indexOf(
  { id: 'a', selectors: ['k:a'] },
  { id: 'ab', selectors: ['k:b', 'k:a'] },
  { id: 'abc', selectors: ['k:a', 'k:b', 'k:c'] },
  { id: 'c', selectors: ['k:c'] },
  { id: 'none', selectors: [] },
);

/** The table of `reference/server.md` §8.3. */
const selectorRows: readonly [match: SetMatch, filter: string[], found: string[]][] = [
  ['exact', ['k:a'], ['a']],
  ['exact', ['k:a', 'k:b'], ['ab']],
  ['exact', ['k:a', 'k:a', 'k:b'], ['ab']],
  ['exact', ['k:a', 'k:d'], []],
  ['subset', ['k:a', 'k:b'], ['a', 'ab']],
  ['subset', ['k:c', 'k:d'], ['c']],
  ['subset', ['k:d'], []],
  ['superset', ['k:a'], ['a', 'ab', 'abc']],
  ['superset', ['k:a', 'k:b'], ['ab', 'abc']],
  ['superset', ['k:a', 'k:d'], []],
  ['any', ['k:b', 'k:c'], ['ab', 'abc', 'c']],
  ['any', ['k:d'], []],
];
for (const [match, filter, found] of selectorRows) {
  test(`selectors that match ${match} of ${filter.join(' ')}: ${found.join(' ') || 'none'}`, () => {
    assert.deepEqual(idsOf(index.select({ selectors: { match, set: set(...filter) } })), found);
  });
}

test('an empty selector set is refused, an empty federation set does not filter', () => {
  for (const match of ['exact', 'subset', 'superset', 'any'] as const) {
    assert.throws(() => index.select({ selectors: { match, set: [] } }), {
      kind: 'invalid',
      message: 'cannot list by empty selector set',
    });
    assert.equal(index.select({ federatesWith: { match, set: [] } }).length, 5);
  }
});

test('an empty hint, and downstream that is false, do not filter', () => {
  assert.deepEqual(index.select({ hint: '', downstream: false }), index.rows());
  assert.deepEqual(index.select({}), index.rows());
});

test('a list that was given is not changed by what happens after', () => {
  const own = indexOf({ parentId: '/p' }, { parentId: '/p' });
  const lists = [own.rows(), own.select({ parentId: SpiffeId.parse('spiffe://test/p') })];
  own.remove('0');
  own.put({
    rowId: 3,
    value: { ...newEntry({ id: 'new', parentId: '/p' }), revisionNumber: 0, createdAt: 0 },
  });
  for (const list of lists) assert.deepEqual(idsOf(list), ['0', '1']);
  assert.deepEqual(idsOf(own.rows()), ['1', 'new']);
});

test('rows that come late take their place', () => {
  const own = new EntryIndex();
  for (const rowId of [5, 1, 3, 2, 4]) {
    own.put({
      rowId,
      value: { ...newEntry({ id: String(rowId) }), revisionNumber: 0, createdAt: 0 },
    });
  }
  assert.deepEqual(idsOf(own.rows()), ['1', '2', '3', '4', '5']);
  assert.deepEqual(idsOf(own.select({ parentId: newEntry().parentId })), ['1', '2', '3', '4', '5']);
});

const trustDomains = ['b.test', 'c.test', 'd.test'].map((name) => TrustDomain.parse(name));
const path = fc.constantFrom('/a', '/b', '/c');
const hint = fc.constantFrom('', 'x', 'y');
const selectors = fc.subarray(['k:1', 'k:2', 'k:3', 'k:4']);
const federation = fc.subarray(trustDomains);
const match = fc.constantFrom<SetMatch>('exact', 'subset', 'superset', 'any');

const change = fc.record({
  id: fc.integer({ min: 0, max: 15 }).map(String),
  remove: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
  spiffeId: path,
  parentId: path,
  hint,
  selectors,
  federatesWith: federation,
  downstream: fc.boolean(),
});

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const id = path.map((one) => SpiffeId.parse(`spiffe://test${one}`));
const filters: fc.Arbitrary<EntryFilter> = fc.record({
  spiffeId: optional(id),
  parentId: optional(id),
  selectors: optional(
    fc.record({
      match,
      set: selectors.filter((some) => some.length > 0).map((some) => some.map(parseSelector)),
    }),
  ),
  federatesWith: optional(fc.record({ match, set: federation })),
  hint: optional(hint),
  downstream: optional(fc.boolean()),
});

/** The rule as it is written, without any index. */
function modelMatches(entry: Entry, filter: EntryFilter): boolean {
  const compare = (kind: SetMatch, own: string[], wanted: string[]): boolean => {
    const within = own.every((one) => wanted.includes(one));
    const contains = wanted.every((one) => own.includes(one));
    if (kind === 'exact') return within && contains;
    if (kind === 'subset') return own.length > 0 && within;
    return kind === 'superset' ? contains : own.some((one) => wanted.includes(one));
  };
  const { spiffeId, parentId, federatesWith } = filter;
  const names = (some: readonly TrustDomain[]) => some.map(({ name }) => name);
  return (
    (!spiffeId || entry.spiffeId.equals(spiffeId)) &&
    (!parentId || entry.parentId.equals(parentId)) &&
    (!filter.hint || entry.hint === filter.hint) &&
    (!filter.downstream || entry.downstream) &&
    (!filter.selectors ||
      compare(
        filter.selectors.match,
        entry.selectors.map(selectorText),
        filter.selectors.set.map(selectorText),
      )) &&
    (!federatesWith?.set.length ||
      compare(federatesWith.match, names(entry.federatesWith), names(federatesWith.set)))
  );
}

test('after any changes, any filter selects what it says, in row order', () => {
  const changes = fc.array(change, { minLength: 5, maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(changes, fc.array(filters, { minLength: 5, maxLength: 5 }), (steps, asked) => {
      const own = new EntryIndex();
      const model = new Map<number, Entry>();
      let lastRow = 0;
      for (const { remove, ...fields } of steps) {
        const known = own.get(fields.id);
        if (remove) {
          own.remove(fields.id);
          if (known !== undefined) model.delete(known.rowId);
          continue;
        }
        const rowId = known?.rowId ?? ++lastRow;
        const value = { ...newEntry(fields), revisionNumber: 0, createdAt: 0 };
        own.put({ rowId, value });
        model.set(rowId, value);
      }
      const rows = [...model].sort(([a], [b]) => a - b);
      for (const filter of asked) {
        const expected = rows.filter(([, entry]) => modelMatches(entry, filter));
        assert.deepEqual(
          own.select(filter).map(({ rowId, value }) => [rowId, value]),
          expected,
        );
      }
    }),
    { numRuns: 500 },
  );
});
