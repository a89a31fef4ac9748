import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { test } from 'node:test';
import { programOf } from './program-of.ts';

test('finds the program of a process', async () => {
  assert.equal(await programOf(process.pid), realpathSync(process.execPath));
});

test('knows none of a process that is not there', async () => {
  assert.equal(await programOf(2 ** 30), undefined);
});
