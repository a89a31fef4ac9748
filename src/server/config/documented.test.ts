import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseConfigText } from '../../base/config-file.ts';
import { ConfigFault } from '../../base/problems.ts';
import { silentLog } from '../../ops/log.ts';
import { loadServerConfig } from '../config.ts';
import { readServerFile } from './reading.ts';

const root = join(import.meta.dirname, '../../..');
const doc = readFileSync(join(root, 'docs/server.md'), 'utf8');
const everyKey = readFileSync(join(root, 'test/data/config/every-key-server.conf'), 'utf8');

/** What the reader asks a file with all blocks for, by the name of the section. */
const asked = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const { audit } = readServerFile(parseConfigText(everyKey, 'x'), 'x');
  const sections = [...audit.known()].map(([section, keys]) => [plainName(section), keys] as const);
  // The blocks of both plugins are read alike.
  return new Map(sections.filter(([, keys]) => keys.size > 0));
};

/** `federates_with "other.test"` is told of as `federates_with`, and any plugin's block under `plugins`. */
const plainName = (section: string): string =>
  section.startsWith('plugin ') ? 'plugins' : section.replace(/ ".*"$/, '');

/** The keys in the tables of the document, by the heading above them. */
function documented(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const part of doc.split(/^##+ /m).slice(1)) {
    const [, heading] = /^`([^`]+)`/.exec(part) ?? [];
    if (heading === undefined) continue;
    // Tables about a block of a block say so in their head, and are no part of the section.
    const tables = part.split(/^(?=\| key)/m).filter((table) => table.startsWith('| key |'));
    const keys = tables.flatMap((table) =>
      [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key = '']) => key.toLowerCase()),
    );
    found.set(heading, new Set(keys));
  }
  return found;
}

describe('docs/server.md and the reader know the same keys of', () => {
  const inDoc = documented();
  for (const [section, keys] of asked()) {
    test(section, () => {
      assert.deepEqual([...(inDoc.get(section) ?? [])].sort(), [...keys].sort());
    });
  }
});

test('docs/server.md has no section that nobody reads', () => {
  const read = new Set([...asked().keys(), 'DataStore "sql"']);
  assert.deepEqual(
    [...documented().keys()].filter((section) => !read.has(section)),
    [],
  );
});

/** Blocks of the document, as they may stand in a file. */
const examples = [...doc.matchAll(/^```hcl\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);

/** Around a block, what it needs to be a configuration. */
function whole(example: string): string {
  const [block = ''] = /^\w+/.exec(example) ?? [];
  const inServer = ['ca_subject', 'ratelimit', 'experimental', 'federation'].includes(block);
  const parts = {
    server: `server { trust_domain = "a.test" data_dir = "d" ${inServer ? example : ''} }`,
    plugins: 'plugins { DataStore "sql" {} }',
  };
  const own = inServer ? '' : example;
  const present = new Set([...own.matchAll(/^(\w+) \{/gm)].map(([, name]) => name));
  const rest = Object.entries(parts).filter(([name]) => !present.has(name));
  return [own, ...rest.map(([, text]) => text)].join('\n');
}

for (const [index, example] of examples.entries()) {
  test(`example ${index + 1} of docs/server.md is valid: ${example.split('\n')[0] ?? ''}`, async () => {
    const loaded = loadServerConfig(
      { config: 'x' },
      {
        cwd: '/',
        environment: {},
        readFile: async () => Buffer.from(whole(example)),
        openLog: async () => silentLog,
        resolveHost: async () => '127.0.0.1',
      },
    );
    await loaded.catch((error: unknown) => {
      if (error instanceof ConfigFault) assert.fail(`${error.message}\n${whole(example)}`);
      throw error;
    });
  });
}
