import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSelector, compareSelectors, parseSelector, selectorText } from './selector.ts';

for (const [text, type, value] of [
  ['unix:uid:1000', 'unix', 'uid:1000'],
  ['a:', 'a', ''],
  [':b', '', 'b'],
] as const) {
  test(`reads the selector "${text}"`, () => {
    assert.deepEqual(parseSelector(text), { type, value });
    assert.equal(selectorText({ type, value }), text);
  });
}

test('refuses a selector without colon', () => {
  assert.throws(() => parseSelector('unix'), {
    kind: 'invalid',
    message: 'selector "unix" must be formatted as type:value',
  });
});

for (const [type, value, message] of [
  ['', '', 'missing selector type'],
  ['a:b', '', "selector type contains ':'"],
  ['a', '', 'missing selector value'],
] as const) {
  test(`refuses the selector ${JSON.stringify({ type, value })} in an entry`, () => {
    assert.throws(() => checkSelector({ type, value }), { kind: 'invalid', message });
  });
}

test('orders selectors by type, then value', () => {
  const sorted = [
    { type: 'a', value: '1' },
    { type: 'a', value: '2' },
    { type: 'b', value: '0' },
    { type: 'c', value: '\uffee' },
    { type: 'c', value: '\u{1f310}' },
  ];
  assert.deepEqual(sorted.toReversed().sort(compareSelectors), sorted);
});
