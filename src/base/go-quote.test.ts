import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goQuote } from './go-quote.ts';

const rows: readonly (readonly [string, string])[] = [
  ['', '""'],
  ['plain text', '"plain text"'],
  ['"\\', '"\\"\\\\"'],
  ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
  ['\0\x1b\x7f', '"\\x00\\x1b\\x7f"'],
  ['é日本', '"é日本"'],
  ['\u00a0\u200b\u2028', '"\\u00a0\\u200b\\u2028"'],
  ['😀\u{e0001}', '"😀\\U000e0001"'],
  ['\ud800', '"\ufffd"'],
];
for (const [text, quoted] of rows) {
  test(`${JSON.stringify(text)} is quoted as ${quoted}`, () => {
    assert.equal(goQuote(text), quoted);
  });
}
