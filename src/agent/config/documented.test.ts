import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { askedKeys, documentedKeys, examplesOf } from '../../../test/kit/documented-keys.ts';
import { parseConfigText } from '../../base/config-file.ts';
import { ConfigFault } from '../../base/problems.ts';
import { silentLog } from '../../ops/log.ts';
import { loadAgentConfig } from '../config.ts';
import { readAgentFile } from './reading.ts';

const root = join(import.meta.dirname, '../../..');
const doc = readFileSync(join(root, 'docs/agent.md'), 'utf8');
const everyKey = readFileSync(join(root, 'test/data/config/every-key-agent.conf'), 'utf8');

const asked = () => askedKeys(readAgentFile(parseConfigText(everyKey, 'x'), 'x').audit);

describe('docs/agent.md and the reader know the same keys of', () => {
  const inDoc = documentedKeys(doc);
  for (const [section, keys] of asked()) {
    test(section, () => {
      assert.deepEqual([...(inDoc.get(section) ?? [])].sort(), [...keys].sort());
    });
  }
});

test('docs/agent.md has no section that nobody reads', () => {
  const read = asked();
  assert.deepEqual(
    [...documentedKeys(doc).keys()].filter((section) => !read.has(section)),
    [],
  );
});

/** Around a block, what it needs to be a configuration. */
function whole(example: string): string {
  const [block = ''] = /^\w+/.exec(example) ?? [];
  const inAgent = ['sds', 'experimental'].includes(block);
  const needed = `trust_domain = "a.test" server_address = "a" server_port = 1 insecure_bootstrap = true`;
  const parts = {
    agent: `agent { ${needed} ${inAgent ? example : ''} }`,
    plugins: 'plugins { NodeAttestor "join_token" {} }',
  };
  const own = inAgent ? '' : example;
  const present = new Set([...own.matchAll(/^(\w+) \{/gm)].map(([, name]) => name));
  const rest = Object.entries(parts).filter(([name]) => !present.has(name));
  return [own, ...rest.map(([, text]) => text)].join('\n');
}

for (const [index, example] of examplesOf(doc).entries()) {
  test(`example ${index + 1} of docs/agent.md is valid: ${example.split('\n')[0] ?? ''}`, async () => {
    const loaded = loadAgentConfig(
      { config: 'x' },
      {
        cwd: '/',
        environment: {},
        readFile: async () => Buffer.from(whole(example)),
        openLog: async () => silentLog,
        resolveHost: async () => '127.0.0.1',
      },
    );
    const config = await loaded.catch((error: unknown) => {
      if (error instanceof ConfigFault) assert.fail(`${error.message}\n${whole(example)}`);
      throw error;
    });
    assert.deepEqual(config.unsupported, []);
  });
}
