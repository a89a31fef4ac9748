import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  boolShape,
  int32Shape,
  int64Shape,
  listShape,
  pointerShape,
  structShape,
  textShape,
  unmarshalGoJson,
} from './go-json-shape.ts';

const inner = structShape('pkg', 'Inner', { flag: boolShape });
const item = structShape('pkg', 'Item', {
  name: textShape,
  ttl: int32Shape,
  expiry: int64Shape,
  tags: listShape(textShape),
  inner: pointerShape(inner),
});
const shape = structShape('pkg', 'Items', { items: listShape(pointerShape(item)) });

const zero = { name: '', ttl: 0, expiry: 0n, tags: [], inner: undefined };

const readings: readonly [text: string, expected: unknown][] = [
  ['{}', { items: [] }],
  ['{"items":null}', { items: [] }],
  ['{"items":[{}, null]}', { items: [zero, undefined] }],
  ['{"ITEMS":[{"Name":"a","TTL":5}]}', { items: [{ ...zero, name: 'a', ttl: 5 }] }],
  ['{"items":[{"unknown":{"deep":[1]},"name":"a"}]}', { items: [{ ...zero, name: 'a' }] }],
  ['{"items":[{"name":"a","name":null}]}', { items: [{ ...zero, name: 'a' }] }],
  [
    '{"items":[{"expiry":9223372036854775807}]}',
    { items: [{ ...zero, expiry: 9223372036854775807n }] },
  ],
  [
    '{"items":[{"tags":["x",null],"inner":{"flag":true}}]}',
    { items: [{ ...zero, tags: ['x', ''], inner: { flag: true } }] },
  ],
  ['{"items":[{"inner":{"flag":true},"inner":null}]}', { items: [zero] }],
  [
    ' {"items" : [ {"name":"\\u00e9\\n\\"\\ud83d\\ude00"} ] }\n',
    { items: [{ ...zero, name: 'é\n"😀' }] },
  ],
  ['null', undefined],
];
for (const [text, expected] of readings) {
  test(`reads ${text}`, () => {
    assert.deepEqual(unmarshalGoJson(shape, text), expected);
  });
}

const refusals: readonly [text: string, message: string][] = [
  ['', 'unexpected end of JSON input'],
  ['{"items":[', 'unexpected end of JSON input'],
  ['{"items":"abc', 'unexpected end of JSON input'],
  ['x', "invalid character 'x' looking for beginning of value"],
  ['é', "invalid character 'Ã' looking for beginning of value"],
  ["'", "invalid character '\\'' looking for beginning of value"],
  ['{items:1}', "invalid character 'i' looking for beginning of object key string"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{} {}', "invalid character '{' after top-level value"],
  ['trux', "invalid character 'x' in literal true (expecting 'e')"],
  ['nul', 'unexpected end of JSON input'],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-x', "invalid character 'x' in numeric literal"],
  ['01', "invalid character '1' after top-level value"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ['1e+x', "invalid character 'x' in exponent of numeric literal"],
  ['['.repeat(5000), 'exceeded max depth'],
  ['[]', 'json: cannot unmarshal array into Go value of type pkg.Items'],
  ['3', 'json: cannot unmarshal number into Go value of type pkg.Items'],
  [
    '{"items":{}}',
    'json: cannot unmarshal object into Go struct field Items.items of type []*pkg.Item',
  ],
  [
    '{"items":["x"]}',
    'json: cannot unmarshal string into Go struct field Items.items of type pkg.Item',
  ],
  [
    '{"items":[{"ttl":"5"}]}',
    'json: cannot unmarshal string into Go struct field Item.items.ttl of type int32',
  ],
  [
    '{"items":[{"ttl":4294967296}]}',
    'json: cannot unmarshal number 4294967296 into Go struct field Item.items.ttl of type int32',
  ],
  [
    '{"items":[{"expiry":1.5}]}',
    'json: cannot unmarshal number 1.5 into Go struct field Item.items.expiry of type int64',
  ],
  [
    '{"items":[{"tags":[7]}]}',
    'json: cannot unmarshal number into Go struct field Item.items.tags of type string',
  ],
  [
    '{"items":[{"inner":{"flag":"x"},"name":1}]}',
    'json: cannot unmarshal string into Go struct field Inner.items.inner.flag of type bool',
  ],
];
for (const [text, message] of refusals) {
  test(`refuses ${text.slice(0, 40)}`, () => {
    assert.throws(() => unmarshalGoJson(shape, text), { kind: 'invalid', message });
  });
}
