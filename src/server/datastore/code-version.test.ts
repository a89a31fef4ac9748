import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areCompatible, type CodeVersion, isNewer, parseCodeVersion } from './code-version.ts';

/** Oldest first. */
const order = [
  '1.15.9',
  '1.16.0-alpha',
  '1.16.0-alpha.1',
  '1.16.0-alpha.beta',
  '1.16.0-beta.2',
  '1.16.0-beta.11',
  '1.16.0-dev-unk',
  '1.16.0',
  '1.16.1',
  '1.20.0',
  '2.0.0',
];

function parsed(text: string): CodeVersion {
  const version = parseCodeVersion(text);
  assert.ok(version);
  return version;
}

for (const [index, version] of order.entries()) {
  test(`${version} is newer than all before it, and than none after it`, () => {
    for (const [other, text] of order.entries()) {
      assert.equal(isNewer(parsed(version), parsed(text)), index > other, text);
    }
  });
}

const pairs: readonly [a: string, b: string, compatible: boolean][] = [
  ['1.16.0', '1.16.7', true],
  ['1.16.0', '1.17.0', true],
  ['1.16.0', '1.15.0-dev-1', true],
  ['1.16.0', '1.18.0', false],
  ['1.16.0', '2.16.0', false],
];
for (const [a, b, compatible] of pairs) {
  test(`${a} and ${b} may ${compatible ? '' : 'not '}share a database`, () => {
    assert.equal(areCompatible(parsed(a), parsed(b)), compatible);
    assert.equal(areCompatible(parsed(b), parsed(a)), compatible);
  });
}

for (const text of ['', '1.16', 'one', '1.16.0 ', '1.16.0-']) {
  test(`"${text}" is no version`, () => assert.equal(parseCodeVersion(text), undefined));
}
