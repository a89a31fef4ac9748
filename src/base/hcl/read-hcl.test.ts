import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { expandEnv } from '../expand-env.ts';
import type { HclItem, HclValue } from './ast.ts';
import { HclError } from './hcl-error.ts';
import { readHcl } from './read-hcl.ts';

const data = join(import.meta.dirname, '../../../test/data/config');
const files = ['', 'deployed']
  .flatMap((folder) => readdirSync(join(data, folder)).map((name) => join(folder, name)))
  .filter((name) => /\.(conf|json)$/.test(name) && name !== 'server-syntax.conf');
for (const name of files) {
  test(`${name} is read`, () => {
    const text = readFileSync(join(data, name), 'utf8');
    const { root, syntax } = readHcl(expandEnv(text, { SPIRE_SERVER_PORT: '8081' }));
    assert.ok(root.items.length > 0);
    assert.equal(syntax, name.endsWith('.json') ? 'json' : 'hcl');
  });
}

/** Trees as a file could hold them. */
const { value: values } = fc.letrec<{ value: Tree; block: Tree }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('${', '$ {')),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('block'),
  ),
  block: fc.array(fc.tuple(fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,8}$/), tie('value')), {
    maxLength: 4,
  }),
})) as { value: fc.Arbitrary<Tree> };
type Tree = string | number | boolean | Tree[] | [string, Tree][];

const isBlock = (tree: Tree): tree is [string, Tree][] =>
  Array.isArray(tree) &&
  tree.every((each) => Array.isArray(each) && each.length === 2 && typeof each[0] === 'string');

function print(tree: Tree): string {
  if (typeof tree === 'string') return JSON.stringify(tree).replaceAll('\ue123', '\\ue123');
  if (!Array.isArray(tree)) return String(tree);
  if (isBlock(tree))
    return `{ ${tree.map(([key, value]) => `"${key}" = ${print(value)}`).join('\n')} }`;
  return `[${tree.map(print).join(', ')}]`;
}

function meaning(value: HclValue): Tree {
  if (value.kind === 'object') {
    return value.items.map(({ keys, value: inner }: HclItem) => [
      keys[0]?.name ?? '',
      meaning(inner),
    ]);
  }
  if (value.kind === 'list') return value.elements.map(meaning);
  if (value.kind === 'number') return Number(value.text);
  return value.kind === 'bool' ? value.text === 'true' : value.text;
}

test('what is printed is read as the same tree', () => {
  fc.assert(
    fc.property(values, (tree) => {
      const [item] = readHcl(`key = ${print(tree)}`).root.items;
      assert.deepEqual(item && meaning(item.value), tree);
    }),
  );
});

const pieces = [
  '{',
  '}',
  '[',
  ']',
  ',',
  '=',
  '"',
  '\n',
  ' ',
  '#',
  '//',
  '/*',
  '*/',
  '<<EOF\n',
  'EOF\n',
  '<<-X\n',
  'X\n',
  '\\',
  '${',
  '0x',
  '08',
  '1.5',
  '1e',
  '-',
  '.',
  'true',
  'null',
  'key',
  '\r',
  '\0',
  ':',
  '😀',
];

test('no text does anything but parse or be refused with a position', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => `{${parts.join('')}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        readHcl(text);
      } catch (error) {
        assert.ok(error instanceof HclError, String(error));
        assert.ok(error.position.line >= 1 && error.position.column >= 1);
      }
    }),
    { numRuns: 3000 },
  );
});

/** Each of these would cost a careless reader the square of its length. */
const long: readonly (readonly [string, (length: number) => string])[] = [
  ['one long line', (length) => 'a=1 '.repeat(length / 4)],
  ['comments', (length) => '#\n'.repeat(length / 2)],
  ['comments that do not end', (length) => '/*'.repeat(length / 2)],
  ['lists that do not end', (length) => `a = [${'1,'.repeat(length / 2)}`],
  ['strings that do not end', (length) => `a = "${'${'.repeat(length / 2)}`],
  ['heredocs', (length) => 'a=<<E\nE\n'.repeat(length / 8)],
  ['a heredoc of blanks', (length) => `a = <<-EOF\n${' '.repeat(length)}x\n  EOF\n`],
  ['a heredoc of carriage returns', (length) => `a = <<EOF\nEOF${'\r'.repeat(length)}x\nEOF\n`],
  ['a heredoc that does not end', (length) => `a = <<EOF\n${'EO\n'.repeat(length / 3)}`],
  ['escapes', (length) => `a = "${'\\n'.repeat(length / 2)}"`],
  ['labels', (length) => `${'a '.repeat(length / 2)}{}`],
  ['objects in JSON', (length) => `{"a": [${'{"b":{}},'.repeat(length / 9)}]}`],
];
for (const [what, make] of long) {
  test(`the time for ${what} grows with the length and no faster`, () => {
    const time = (length: number): number => {
      const text = make(length);
      const started = performance.now();
      try {
        readHcl(text);
      } catch (error) {
        assert.ok(error instanceof HclError);
      }
      return performance.now() - started;
    };
    time(20_000);
    // A careless reader would take minutes for sixteen times the length; the floor keeps a busy machine out.
    const [short, longer] = [Math.max(time(20_000), 20), time(320_000)];
    assert.ok(longer < short * 100, `${short} ms, then ${longer} ms`);
  });
}

test('a text of any length is not read', () => {
  assert.throws(() => readHcl(' '.repeat(5_000_000)), {
    kind: 'invalid',
    message: 'At 1:1: longer than 4194304 characters',
  });
});
