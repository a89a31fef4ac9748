import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, structJson } from './canonical-json.ts';

const rows: readonly [value: unknown, text: string][] = [
  [{ b: 1, a: { d: [], c: '' } }, '{"a":{"c":"","d":[]},"b":1}'],
  [{ 10: 'x', 9: 'y', a: 'z' }, '{"10":"x","9":"y","a":"z"}'],
  [{ '\u{1f600}': 1, '\uffff': 2 }, '{"\uffff":2,"\u{1f600}":1}'],
  [{ a: null, b: [1, null, { c: null }], d: undefined }, '{"b":[1,{}]}'],
  [{ '<': '>&\u2028\u2029' }, '{"\\u003c":"\\u003e\\u0026\\u2028\\u2029"}'],
  ['a"\\\n\u0001', '"a\\"\\\\\\n\\u0001"'],
  [1e21, '1e+21'],
  [true, 'true'],
];
for (const [value, text] of rows) {
  test(`prints ${text}`, () => {
    assert.equal(canonicalJson(value), text);
  });
}

test('a struct keeps its order and its nulls', () => {
  assert.equal(structJson({ b: null, a: '<' }), '{"b":null,"a":"\\u003c"}');
});
