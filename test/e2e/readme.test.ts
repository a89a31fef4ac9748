import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recordedSeries } from '../kit/exposition.ts';
import { binaries, eventually, freePort, root, runProgram, startProgram } from '../kit/programs.ts';

test('the tour of the README works, word by word', async (t) => {
  const folder = await temporaryFolder(t);
  const port = String(await freePort());
  let token = '';
  const shell = (text: string) => [
    'bash',
    '-ec',
    text
      .replaceAll('/tmp/tour', folder)
      .replaceAll('8081', port)
      .replaceAll('make build\n', '')
      .replaceAll(/(^|exec )bin\//gm, `$1${binaries}/`)
      .replace('TOKEN', token),
  ];
  const blocks = await tour();
  assert.ok(blocks.length >= 6, 'the tour has its blocks');
  let shown = '';
  for (const block of blocks) {
    if (block.endsWith(' &\n')) {
      const program = startProgram(t, shell(`exec ${block.replace(/( > \S+)? &\n$/, '')}`));
      await program.says(/msg="Starting (Server|agent) APIs".*\.sock/);
      continue;
    }
    // What needs an entry to have reached the agent is tried until it has.
    await eventually(async () => {
      const { code, stdout, stderr } = await runProgram(shell(block), { cwd: root });
      shown += stdout;
      if (code !== 0 && !/no identity issued/.test(stderr))
        assert.fail(`${block}\n${stdout}${stderr}`);
      return code === 0;
    }, block);
    token = /^Token: (\S+)$/m.exec(shown)?.[1] ?? token;
  }
  assert.match(shown, /^SPIFFE ID:\s+spiffe:\/\/example\.org\/web$/m);
  assert.match(shown, /^token\(spiffe:\/\/example\.org\/web\):$/m);
  assert.match(
    shown,
    /^Process \d+ has an identity\.\n {2}It is served spiffe:\/\/example\.org\/web\.$/m,
  );
});

/** The blocks of commands of that section. */
async function tour(): Promise<string[]> {
  const text = await readFile(join(root, 'README.md'), 'utf8');
  const [, section = ''] = /^## Five minutes\n([\s\S]*?)^## /m.exec(text) ?? [];
  return [...section.matchAll(/^```\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
}

test('every file that a page names by a link is there', async () => {
  const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  for (const page of await readdir(join(root, 'docs'), { recursive: true })) {
    if (page.endsWith('.md')) pages.push(`docs/${page}`);
  }
  const broken: string[] = [];
  for (const page of pages) {
    const text = await readFile(join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^[a-z]+:/.test(target) && !existsSync(join(root, page, '..', target))) {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test('every metric that an alert names is one that SPIRE has, and we', async () => {
  const text = await readFile(join(root, 'docs/operations.md'), 'utf8');
  const [, rules = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(text) ?? [];
  const fixture = await readFile(join(root, 'test/data/fixtures/metrics/server.txt'), 'utf8');
  const names = [...recordedSeries(fixture).keys()];
  const named = [...rules.matchAll(/spire_server_\w+(?:\.\+)?/g)].map(([name]) => name);
  assert.ok(named.length >= 8, rules);
  for (const name of named) {
    const pattern = new RegExp(`^${name}$`);
    assert.ok(
      names.some((one) => pattern.test(one)),
      name,
    );
  }
});

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tour-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
