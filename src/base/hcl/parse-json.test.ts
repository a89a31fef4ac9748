import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HclItem, HclValue } from './ast.ts';
import { parseJson } from './parse-json.ts';

function short(value: HclValue): unknown {
  if (value.kind === 'object') return { block: value.items.map(shortItem) };
  if (value.kind === 'list') return value.elements.map(short);
  return value.kind === 'string' ? value.text : `${value.kind} ${value.text}`;
}

const shortItem = ({ keys, value }: HclItem): unknown[] => [
  ...keys.map(({ name }) => name),
  short(value),
];

const accepted: readonly (readonly [string, string, unknown])[] = [
  ['an empty object', '{}', []],
  [
    'literals',
    '{"a": "x", "b": 1, "c": 1.5, "d": true, "e": null}',
    [
      ['a', 'x'],
      ['b', 'number 1'],
      ['c', 'float 1.5'],
      ['d', 'bool true'],
      ['e', 'null '],
    ],
  ],
  ['a comma after the last item', '{"a": [1,], }', [['a', ['number 1']]]],
  ['bools in a list', '{"a": [true]}', [['a', ['bool true']]]],
  ['escapes', '{"a": "\\"\\\\\\n\\u00e9\\ud83d\\ude00"}', [['a', '"\\\né😀']]],
  ['interpolations like any text', '{"a": "${x}\\n"}', [['a', '${x}\n']]],
  [
    'objects of objects as labels',
    '{"a": {"b": {"c": 1}, "d": {}}}',
    [
      ['a', 'b', { block: [['c', 'number 1']] }],
      ['a', 'd', { block: [] }],
    ],
  ],
  [
    'lists of objects as repeated blocks',
    '{"a": [{"b": 1}, {"b": 2}]}',
    [
      ['a', { block: [['b', 'number 1']] }],
      ['a', { block: [['b', 'number 2']] }],
    ],
  ],
  [
    'both at once',
    '{"a": [{"b": {"c": 1}}, {"b": {"c": 2}}]}',
    [
      ['a', 'b', { block: [['c', 'number 1']] }],
      ['a', 'b', { block: [['c', 'number 2']] }],
    ],
  ],
  [
    'an object with a literal as it is',
    '{"a": {"b": {}, "c": 1}}',
    [
      [
        'a',
        {
          block: [
            ['b', { block: [] }],
            ['c', 'number 1'],
          ],
        },
      ],
    ],
  ],
  ['a mixed list as it is', '{"a": [{}, 1]}', [['a', [{ block: [] }, 'number 1']]]],
];
for (const [what, text, items] of accepted) {
  test(`reads ${what}`, () => {
    assert.deepEqual(parseJson(text).root.items.map(shortItem), items);
  });
}

const refused: readonly (readonly [string, string, string])[] = [
  ['a key that is no string', '{a: 1}', '1:2: illegal char'],
  ['a key without a value', '{"a"}', 'expected: STRING got: RBRACE'],
  ['a value that is none', '{"a": }', 'Expected object value, got unknown token: 1:7 RBRACE }'],
  ['an unknown word', '{"a": nil}', '1:9: illegal char'],
  ['a number with a leading zero', '{"a": 01}', '1:8: numbers cannot start with 0'],
  ['a string over a line', '{"a": "x\n"}', '2:3: literal not terminated'],
  ['an unknown escape', '{"a": "\\q"}', '1:9: illegal char escape'],
  ['null in a list', '{"a": [null]}', 'unexpected token while parsing list: NULL'],
  ['a missing comma', '{"a": 1 "b": 2}', '1:9: expected COMMA or RBRACE, got: STRING'],
  ['a missing brace', '{"a": {"b": 1}', '1:15: expected COMMA or RBRACE, got: EOF'],
  ['a missing bracket', '{"a": [1', '1:9: expected COMMA or RBRACK, got: EOF'],
  ['what follows the end', '{} x', '1:4: illegal char'],
  ['half of a surrogate pair', '{"a": "\\ud83d"}', '1:7: invalid escape sequence in string'],
  ['what nests too deep', '{"a":'.repeat(65), '1:321: nested deeper than 64 levels'],
];
for (const [what, text, message] of refused) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseJson(text), { kind: 'invalid', message });
  });
}
