import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { STEEPLE_VERSION } from './version.ts';

test('our version is that of the package', async () => {
  const manifest: unknown = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  assert.ok(typeof manifest === 'object' && manifest !== null && 'version' in manifest);
  assert.equal(STEEPLE_VERSION, manifest.version);
});
