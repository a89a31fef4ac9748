import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { readSourcePlaces } from './source-places.ts';

/** Line 1 from column 1 on is line 5 of that source. */
const map = (source: string): string =>
  JSON.stringify({ version: 3, sources: [source], names: [], mappings: 'AAIA' });

test('places in a bundle are told by their sources', async () => {
  await using folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  await mkdir(path('chunks'));
  await writeFile(path('program.js.map'), map('../src/bin/program.ts'));
  await writeFile(path('chunks/run-AB.js.map'), map('../../src/server/start.ts'));
  await writeFile(path('chunks/broken.js.map'), '{');
  const places = await readSourcePlaces(path('program.js'));
  assert.deepEqual(places(path('program.js'), 1, 1), { file: 'program.ts', line: 5 });
  const chunk = pathToFileURL(path('chunks/run-AB.js')).href;
  assert.deepEqual(places(chunk, 1, 1), { file: 'start.ts', line: 5 });
  assert.equal(places(path('chunks/broken.js'), 1, 1), undefined);
  assert.equal(places('node:internal/x', 1, 1), undefined);
});

test('without maps nothing is known', async () => {
  const places = await readSourcePlaces('/nowhere/program.js');
  assert.equal(places('/nowhere/program.js', 1, 1), undefined);
});
