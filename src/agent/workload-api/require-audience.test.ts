import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../ops/log.ts';
import { requireAudience } from './require-audience.ts';

const rows: readonly [what: string, audience: string[], refusal: string | undefined][] = [
  ['one name', ['a'], undefined],
  ['the same name twice', ['a', 'a'], undefined],
  ['a thousand names', Array<string>(1000).fill('a'), undefined],
  ['a long name', ['a'.repeat(64 * 1024)], undefined],
  ['nobody', [], 'audience must be specified'],
  ['more than a thousand', Array<string>(1001).fill(''), 'audience is too long'],
  ['64 KiB and more', ['a'.repeat(64 * 1024), 'a'], 'audience is too long'],
];
for (const [what, audience, refusal] of rows) {
  test(`a token for ${what} ${refusal === undefined ? 'may be' : 'may not be'} asked for`, () => {
    const ask = () => requireAudience(audience, { log: silentLog });
    if (refusal === undefined) ask();
    else assert.throws(ask, { kind: 'invalid', message: refusal });
  });
}
