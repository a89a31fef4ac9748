import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHcl } from './hcl/read-hcl.ts';
import { ConfigFault, Problems } from './problems.ts';
import { Settings } from './settings.ts';

const settingsOf = (text: string): Settings => Settings.of(readHcl(text), new Problems('x.conf'));

const problemsOf = (settings: Settings): string[] => settings.problems.all.map(({ text }) => text);

type Read = (settings: Settings) => unknown;
const text: Read = (settings) => settings.string('key');
const int: Read = (settings) => settings.int('key');
const bool: Read = (settings) => settings.bool('key');
const list: Read = (settings) => settings.strings('key');
const section: Read = (settings) => settings.section('key')?.string('a');
const sections: Read = (settings) => settings.sections('key').map((each) => each.string('a'));
const labelled: Read = (settings) =>
  [...settings.labelled('key')].map(
    ([label, each]) => `${label}:${each.string('a')}${each.string('b')}`,
  );

const accepted: readonly (readonly [string, Read, unknown])[] = [
  ['key = "x"', text, 'x'],
  ['KEY = "x"', text, 'x'],
  ['key = 0x10', text, '0x10'],
  ['key = <<E\nx\nE\n', text, 'x\n'],
  ['key = "a" key = "b"', text, 'b'],
  ['other = 1', text, ''],
  ['{"key": null}', text, ''],
  ['key = 8081', int, 8081],
  ['key = "0x1F"', int, 31],
  ['key = 010', int, 8],
  ['other = 1', int, 0],
  ['key = true', bool, true],
  ['key = false', bool, false],
  ['key = ["a", 5]', list, ['a', '5']],
  ['key = ["a"] key = ["b"]', list, ['a', 'b']],
  ['key {}', list, []],
  ['key { a = "1" }', section, '1'],
  ['key = { a = "1" }', section, '1'],
  ['key { a = "1" } key { b = "2" }', section, '1'],
  ['key "label" { a = "1" }', section, ''],
  ['other = 1', section, undefined],
  ['{"key": [{"a": "1"}]}', section, '1'],
  ['{"key": [{"b": "2"}, {"a": "1"}]}', section, '1'],
  ['key = [{ a = "1" }, { a = "2" }]', sections, ['1', '2']],
  ['key { a = "1" } key { a = "2" }', sections, ['1', '2']],
  ['key { x { a = "1" } y { a = "2" } }', sections, ['1', '2']],
  ['key "x" { a = "1" }', sections, ['1']],
  ['key {}', sections, []],
  ['{"key": [{"a": "1", "b": "x"}, {"a": "2"}]}', sections, ['1', '2']],
  ['key "x" { a = "1" } key "y" { a = "2" } key "x" { b = "3" }', labelled, ['x:13', 'y:2']],
  ['key { X { a = "1" } }', labelled, ['X:1']],
  ['key = { "x.y" = { a = "1" } }', labelled, ['x.y:1']],
  ['{"key": {"x": {"a": "1"}, "y": {"a": "2"}}}', labelled, ['x:1', 'y:2']],
  ['{"key": [{"x": {"a": "1"}}]}', labelled, ['x:1']],
];
for (const [config, read, expected] of accepted) {
  test(`${JSON.stringify(config)} is read as ${JSON.stringify(expected)}`, () => {
    const settings = settingsOf(config);
    assert.deepEqual(read(settings), expected);
    assert.deepEqual(problemsOf(settings), []);
  });
}

/** Words and positions of the reference's library. */
const refused: readonly (readonly [string, Read, string])[] = [
  ['key = 1.5', text, 'At 1:7: root.key: unknown type for string *ast.LiteralType'],
  ['key = true', text, 'At 1:7: root.key: unknown type for string *ast.LiteralType'],
  ['key = ["a"]', text, 'At 1:7: root.key: unknown type for string *ast.ListType'],
  ['key { a = 1 }', text, 'At 1:7: root.key: unknown type for string *ast.ObjectList'],
  ['key {}', text, 'At -: root.key: unknown type for string *ast.ObjectList'],
  ['key "x" { a = 1 }', text, 'At 1:5: root.key: unknown type for string *ast.ObjectList'],
  ['{"key": true}', text, 'At -: root.key: unknown type for string *ast.LiteralType'],
  ['key = "abc"', int, 'strconv.ParseInt: parsing "abc": invalid syntax'],
  [
    'key = 99999999999999999999',
    int,
    'strconv.ParseInt: parsing "99999999999999999999": value out of range',
  ],
  ['{"key": null}', int, 'strconv.ParseInt: parsing "": invalid syntax'],
  ['key = 1.5', int, 'At 1:7: root.key: unknown type *ast.LiteralType'],
  ['key = [1]', int, 'At 1:7: root.key: unknown type *ast.ListType'],
  ['key = "true"', bool, 'At 1:7: root.key: unknown type *ast.LiteralType'],
  ['key = 1', bool, 'At 1:7: root.key: unknown type *ast.LiteralType'],
  ['key = "a"', list, 'At 1:7: unknown slice type: *ast.LiteralType'],
  ['key = ["a", true]', list, 'At 1:13: root.key[1]: unknown type for string *ast.LiteralType'],
  ['key = [["a"]]', list, 'At 1:8: root.key[0]: unknown type for string *ast.ListType'],
  ['key = [{a = 1}]', list, 'At 1:8: root.key[0]: unknown type for string *ast.ObjectType'],
  ['key { a = 1 }', list, 'At 1:7: root.key[0]: unknown type for string *ast.ObjectItem'],
  ['key = "x"', section, 'At 1:7: root.key: not an object type for struct (*ast.LiteralType)'],
  ['key = [{ a = 1 }]', section, 'At 1:7: root.key: not an object type for struct (*ast.ListType)'],
  ['key = "x"', sections, 'At 1:7: unknown slice type: *ast.LiteralType'],
  [
    'key = ["x"]',
    sections,
    'At 1:8: root.key[0]: not an object type for struct (*ast.LiteralType)',
  ],
  ['key = 5', labelled, 'At 1:7: root.key: not an object type for map (*ast.LiteralType)'],
  ['key = [{ x = {} }]', labelled, 'At 1:7: root.key: not an object type for map (*ast.ListType)'],
  [
    'key { x = 5 }',
    labelled,
    'At 1:11: root.key.x: not an object type for struct (*ast.LiteralType)',
  ],
  ['key "x" { a = [] }', labelled, 'At 1:15: root.key.x.a: unknown type for string *ast.ListType'],
];
for (const [config, read, complaint] of refused) {
  test(`${JSON.stringify(config)} has the wrong type: ${complaint}`, () => {
    const settings = settingsOf(config);
    read(settings);
    assert.equal(problemsOf(settings)[0], complaint);
  });
}

test('absent and zero are told apart by those who ask for it', () => {
  const settings = settingsOf('a = "" b = 0 c = false');
  assert.deepEqual(
    [settings.optionalString('a'), settings.optionalInt('b'), settings.optionalBool('c')],
    ['', 0, false],
  );
  assert.equal(settings.optionalString('z'), undefined);
  assert.equal(settings.has('a'), true);
  assert.equal(settings.has('z'), false);
});

test('all wrong types are told at once, with their places', () => {
  const settings = settingsOf('a = true\nb = "x"\n\nc = 1\n');
  settings.string('a');
  settings.int('b');
  settings.bool('c');
  assert.throws(
    () => settings.throwIfWrong(),
    (error) => {
      assert.ok(error instanceof ConfigFault);
      assert.equal(error.kind, 'invalid');
      assert.equal(
        error.report,
        [
          'unable to decode configuration: At 1:5: root.a: unknown type for string *ast.LiteralType',
          '  at x.conf:1:5',
          '  x.conf:2:5: strconv.ParseInt: parsing "x": invalid syntax',
          '  x.conf:4:5: At 4:5: root.c: unknown type *ast.LiteralType',
        ].join('\n'),
      );
      return true;
    },
  );
});

test('keys that nobody asked for are unknown, each once and sorted', () => {
  const settings = settingsOf('b = 1 Known = 2 a = 1 b = 2 "quoted" = 3');
  settings.string('known');
  assert.deepEqual(
    settings.unknownKeys().map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(
    settings.unknownKeys({ quoted: true }).map(({ name }) => name),
    ['a', 'b', 'quoted'],
  );
  settings.rejectUnknown();
  assert.deepEqual(problemsOf(settings), [
    'unknown key "a"',
    'unknown key "b"',
    'unknown key "quoted"',
  ]);
});

test('in JSON every key is a bare one', () => {
  const settings = settingsOf('{"a": 1}');
  assert.deepEqual(
    settings.unknownKeys().map(({ name }) => name),
    ['a'],
  );
});

test('a value that counts says where it stands', () => {
  const settings = settingsOf('a = 1\na = 2\n');
  assert.deepEqual(settings.positionOf('a'), { line: 2, column: 5 });
  assert.equal(settings.positionOf('b'), undefined);
});
