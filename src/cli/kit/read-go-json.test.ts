import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../base/fault.ts';
import { type GoJson, readGoJson } from './read-go-json.ts';

/** The value that `JSON.parse` makes of the same text. */
function plain(json: GoJson): unknown {
  switch (json.kind) {
    case 'object':
      return Object.fromEntries(json.members.map(([name, value]) => [name, plain(value)]));
    case 'array':
      return json.items.map(plain);
    case 'number':
      return Number(json.digits);
    case 'null':
      return null;
    case 'string':
    case 'bool':
      return json.value;
  }
}

test('reads what JSON.parse reads, and as the same', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), fc.constantFrom(0, 1, 3), (text, indent) => {
      const value: unknown = JSON.parse(text);
      const spaced = JSON.stringify(value, undefined, indent);
      assert.deepEqual(plain(readGoJson(spaced)), JSON.parse(spaced.toWellFormed()));
    }),
  );
});

/** Text that is nearly JSON. */
const nearly = fc
  .array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'u',
      '0',
      '1',
      '.',
      'e',
      '-',
      'true',
      'null',
      ' ',
      'é',
      '\n',
    ),
  )
  .map((parts) => parts.join(''));

test('refuses what JSON.parse refuses, with words', () => {
  fc.assert(
    fc.property(nearly, (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      try {
        readGoJson(text);
        assert.ok(valid, `read ${JSON.stringify(text)}`);
      } catch (error) {
        assert.ok(error instanceof Fault, `${JSON.stringify(text)}: ${String(error)}`);
        assert.ok(!valid, `refused ${JSON.stringify(text)}: ${error.message}`);
      }
    }),
    { numRuns: 2000 },
  );
});
