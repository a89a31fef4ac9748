import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'playwright-core';
import { openBrowser } from '../kit/browser.ts';
import { binaries, eventually, root, startProgram } from '../kit/programs.ts';
import { missing } from '../kit/toolchain.ts';

const skip = missing('chromium') || missing('openssl');
const run = join(root, 'examples/federation/run.ts');

const statusOf = (page: Page): Promise<string> => page.locator('#status').innerText();
const rowsOf = async (page: Page): Promise<string[][]> => {
  const rows = await page.locator('#quotes tr').all();
  return Promise.all(rows.map((row) => row.locator('td').allInnerTexts()));
};

for (const profile of ['https_spiffe', 'https_web']) {
  test(`examples/federation shows quotes from the other trust domain, by ${profile}`, {
    skip,
  }, async (t) => {
    const example = startProgram(t, [process.execPath, run, profile], {
      env: { STEEPLE_BIN: binaries },
    });
    t.after(() => example.stop('SIGTERM')); // it stops what it has started
    const [, url = ''] = await example.says(/Open (http:\S+) to see the quotes/);
    const [, market = ''] = await example.says(/quotes-service serves .* \(process (\d+)\)/);

    const page = await openBrowser(t);
    await page.goto(url);
    await page.locator('#quotes tr').first().waitFor();
    assert.equal(await page.title(), 'Stock quotes');
    const first = await rowsOf(page);
    assert.deepEqual(
      first.map(([symbol]) => symbol),
      ['ACME', 'GLOBEX', 'INITECH'],
    );
    for (const [, price = ''] of first) assert.match(price, /^\d+\.\d\d$/);
    const told = await statusOf(page);
    assert.match(told, /^As of \S+Z, told to spiffe:\/\/broker\.example\/webapp$/);

    // They are fetched again and again, and they move.
    await eventually(async () => (await statusOf(page)) !== told, 'newer quotes');
    await eventually(async () => !isDeepStrictEqual(await rowsOf(page), first), 'other prices');

    // Without the market there are none, and the page says so.
    process.kill(Number(market), 'SIGTERM');
    await page.locator('#status[data-state=error]').waitFor();
    assert.match(await statusOf(page), /^No quotes: .*ECONNREFUSED/);
    const { code } = await example.stop('SIGTERM');
    assert.equal(code, 0, example.output);
  });
}

test('examples/federation says which profiles there are', async (t) => {
  const example = startProgram(t, [process.execPath, run, 'other']);
  assert.equal((await example.exited).code, 1);
  assert.equal(example.stderr, 'no profile "other"; there are https_spiffe and https_web\n');
});
