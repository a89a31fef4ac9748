import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HclItem, HclValue } from './ast.ts';
import { parseHcl } from './parse-hcl.ts';

/** A value in short: strings and lists as they are, other literals as `kind text`, objects as pairs. */
function short(value: HclValue): unknown {
  if (value.kind === 'object') return { block: value.items.map(shortItem) };
  if (value.kind === 'list') return value.elements.map(short);
  return value.kind === 'string' || value.kind === 'heredoc'
    ? value.text
    : `${value.kind} ${value.text}`;
}

const shortItem = ({ keys, value }: HclItem): unknown[] => [
  ...keys.map(({ name }) => name),
  short(value),
];

const accepted: readonly (readonly [string, string, unknown])[] = [
  ['an empty text', '', []],
  ['an assignment', 'a = "x"', [['a', 'x']]],
  [
    'several on one line',
    'a = 1 b = 2, c = 3',
    [
      ['a', 'number 1'],
      ['b', 'number 2'],
      ['c', 'number 3'],
    ],
  ],
  ['a quoted key', '"a b" = 1', [['a b', 'number 1']]],
  ['keys with dots and dashes', 'a.b-c = 1', [['a.b-c', 'number 1']]],
  ['letters of any script', 'schlüssel = 1', [['schlüssel', 'number 1']]],
  ['a block', 'a { b = true }', [['a', { block: [['b', 'bool true']] }]]],
  ['a block by assignment', 'a = { b = false, }', [['a', { block: [['b', 'bool false']] }]]],
  ['labels', 'a "b" c { }', [['a', 'b', 'c', { block: [] }]]],
  [
    'a list',
    'a = [1, "x", { b = 1 }, [2]]',
    [['a', ['number 1', 'x', { block: [['b', 'number 1']] }, ['number 2']]]],
  ],
  ['a comma at the end of a list', 'a = [1,]', [['a', ['number 1']]]],
  ['commas alone in a list', 'a = [,,]', [['a', []]]],
  [
    'a key that is there twice',
    'a = 1 a = 2',
    [
      ['a', 'number 1'],
      ['a', 'number 2'],
    ],
  ],
  [
    'numbers',
    'a = [0x1F, 017, -5, 0]',
    [['a', ['number 0x1F', 'number 017', 'number -5', 'number 0']]],
  ],
  [
    'floats',
    'a = [1.5, .5, 1e10, 1.5E-3, 0.1]',
    [['a', ['float 1.5', 'float .5', 'float 1e10', 'float 1.5E-3', 'float 0.1']]],
  ],
  ['comments', '# a\n// b\n/* c\n d */ e = 1 # f\n/**/', [['e', 'number 1']]],
  [
    'escapes',
    String.raw`a = "\a\b\f\n\r\t\v\\\"\x41\101\u00e9\U0001F600"`,
    [['a', '\x07\b\f\n\r\t\v\\"AAé😀']],
  ],
  ['bytes of UTF-8 by escapes', String.raw`a = "\xc3\xa9\303\251"`, [['a', 'éé']]],
  ['interpolations, which stay', 'a = "x${f("\\n")}\\n"', [['a', 'x${f("\\n")}\n']]],
  ['an interpolation over lines', 'a = "${\n}"', [['a', '${\n}']]],
  [
    'a heredoc',
    'a = <<EOF\nx\n  y\nEOF\nb = 1',
    [
      ['a', 'x\n  y\n'],
      ['b', 'number 1'],
    ],
  ],
  ['an indented heredoc', 'a = <<-EOF\n    x\n      y\n    EOF\n', [['a', 'x\n  y\n']]],
  ['one with a line further left', 'a = <<-EOF\n  x\n    y\n    EOF\n', [['a', '  x\n    y\n']]],
  ['an empty heredoc', 'a = <<EOF\nEOF\n', [['a', '']]],
  [
    'line ends of Windows',
    'a = 1\r\nb = <<EOF\r\nx\r\nEOF\r\n',
    [
      ['a', 'number 1'],
      ['b', 'x\n'],
    ],
  ],
];
for (const [what, text, items] of accepted) {
  test(`reads ${what}`, () => {
    assert.deepEqual(parseHcl(text).root.items.map(shortItem), items);
  });
}

/** What the reference's library says. */
const refused: readonly (readonly [string, string, string])[] = [
  ['a missing value', 'server {\n  data_dir = \n}\n', 'At 3:1: Unknown token: 3:1 RBRACE }'],
  ['a block without an end', 'a {\n  b = 1\n', 'At 3:2: object expected closing RBRACE got: EOF'],
  ['a key alone', 'a', "At 1:3: key 'a' expected start of object ('{') or assignment ('=')"],
  [
    'a key alone in a block',
    'a { b }',
    "At 1:7: key 'b' expected start of object ('{') or assignment ('=')",
  ],
  ['no key', '= 1', 'At 1:1: no object keys found!'],
  ['a block without a key', '{', 'At 1:1: expected: IDENT | STRING got: LBRACE'],
  ['labels before an assignment', 'a b = 1', 'At 1:5: nested object expected: LBRACE got: ASSIGN'],
  ['a number as key', '5 = 1', 'At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: NUMBER'],
  ['a bare word as value', 'a = b', 'At 1:5: Unknown token: 1:5 IDENT b'],
  [
    'a list without commas',
    'a = [1 2]',
    'At 1:8: error parsing list, expected comma or list end, got: NUMBER',
  ],
  ['a bare word in a list', 'a = [b]', 'At 1:6: unexpected token while parsing list: IDENT'],
  ['a list without an end', 'a = [1,', 'At 1:8: unexpected token while parsing list: EOF'],
  [
    'a mistake inside a list',
    'a = [{ b }]',
    "At 1:6: error while trying to parse object within list: At 1:10: key 'b' expected start of object ('{') or assignment ('=')",
  ],
  ['a string over a line', 'a = "x\n"', 'At 2:2: literal not terminated'],
  ['an unknown escape', 'a = "\\q"', 'At 1:7: illegal char escape'],
  ['an octal escape too short', 'a = "\\12"', 'At 1:9: illegal char escape'],
  ['a comment without an end', 'a = 1 /* b', 'At 1:11: comment not terminated'],
  ['a lone slash', 'a = /', "At 1:5: expected '/' for comment"],
  ['a heredoc without an end', 'a = <<EOF\nx\n', 'At 3:1: heredoc not terminated'],
  ['a heredoc without an anchor', 'a = <<\nx\n', 'At 1:7: zero-length heredoc anchor'],
  ['a character of no meaning', 'a = ?', 'At 1:5: illegal char'],
  ['a NUL', 'a = \0', 'At 1:5: unexpected null character (0x00)'],
];
for (const [what, text, message] of refused) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseHcl(text), { kind: 'invalid', message });
  });
}

/** The reference takes these, and drops or misreads something. */
const refusedBesides: readonly (readonly [string, string, RegExp])[] = [
  ['a file that ends after an equals sign', 'a =', /^At 1:4: expected a value, got: EOF$/],
  ['an escape that is no byte', 'a = "\\777"', /^At 1:5: invalid escape sequence in string$/],
  ['bytes that are not UTF-8', 'a = "\\xff"', /^At 1:5: invalid escape sequence in string$/],
  ['half of a surrogate pair', 'a = "\\ud800"', /^At 1:5: invalid escape sequence in string$/],
  ['what nests too deep', 'a {'.repeat(65), /^At 1:195: nested deeper than 64 levels$/],
  ['lists that nest too deep', `a = ${'['.repeat(1000)}`, /nested deeper than 64 levels$/],
];
for (const [what, text, message] of refusedBesides) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseHcl(text), { kind: 'invalid', message });
  });
}

test('every key and value says where it stands', () => {
  const { root } = parseHcl('# é\nserver "é" {\n  port = 8081\n}\n');
  const [server] = root.items;
  assert.deepEqual(
    server?.keys.map(({ position }) => position),
    [
      { line: 2, column: 1 },
      { line: 2, column: 8 },
    ],
  );
  assert.deepEqual(server?.value.position, { line: 2, column: 12 });
  const port = server?.value.kind === 'object' ? server.value.items[0] : undefined;
  assert.deepEqual(port?.keys[0]?.position, { line: 3, column: 3 });
  assert.deepEqual(port?.value.position, { line: 3, column: 10 });
});

test('what stands in quotes is told apart from bare words', () => {
  const { root } = parseHcl('a = 1 "b" = 2');
  assert.deepEqual(
    root.items.map(({ keys }) => keys[0]?.bare),
    [true, false],
  );
});
