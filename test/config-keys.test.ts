import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readAgentFile } from '../src/agent/config/reading.ts';
import { parseConfigText } from '../src/base/config-file.ts';
import type { KeyAudit } from '../src/base/unknown-keys.ts';
import { readServerFile } from '../src/server/config/reading.ts';
import { agentKeys } from './config-keys/agent.ts';
import type { Proofs } from './config-keys/proof.ts';
import { serverKeys } from './config-keys/server.ts';

/*
 * No key of a configuration file is read and then passed over: each has a test that sees what it does, or that it is
 * refused. The files have every key of the reference (`reference/server.md` §§1–4, `agent.md` §1), so that a key which
 * the reader did not know would show.
 */

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

type Asked = ReadonlyMap<string, ReadonlySet<string>>;

/** `federates_with "other.test"` is `federates_with`; the blocks of all plugins are read alike. */
const plainName = (section: string): string =>
  section.startsWith('plugin ') ? 'plugins' : section.replace(/ ".*"$/, '');

const askedFor = (audit: KeyAudit): Asked =>
  new Map(
    [...audit.known()]
      .map(([section, keys]) => [plainName(section), keys] as const)
      .filter(([, keys]) => keys.size > 0),
  );

const programs: readonly [name: string, audit: () => KeyAudit, proofs: Proofs][] = [
  ['server', () => readServerFile(fileOf('every-key-server.conf'), 'x').audit, serverKeys],
  [
    'agent',
    () => readAgentFile(fileOf('every-key-agent.conf'), 'x').audit,
    // What both programs read is shown once.
    { ...serverKeys, ...agentKeys },
  ],
];

const fileOf = (name: string) => parseConfigText(read(`test/data/config/${name}`), name);

for (const [name, audit, proofs] of programs) {
  describe(`the configuration of the ${name}`, () => {
    test('is read to its last key', () => {
      assert.deepEqual([audit().refused(), audit().tolerated()], [[], []]);
    });

    for (const [section, keys] of askedFor(audit())) {
      test(`has a test for each key of ${section}`, () => {
        const shown = proofs[section] ?? {};
        assert.deepEqual(
          [...keys].filter((key) => shown[key] === undefined),
          [],
          'keys without a test',
        );
      });
    }
  });
}

const all = [serverKeys, agentKeys].flatMap((proofs) =>
  Object.entries(proofs).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, proof]) => [`${section} ${key}`, proof] as const),
  ),
);

test('the tests that are named are there', () => {
  const texts = new Map<string, string>();
  const missing = all.filter(([, [file, words]]) => {
    if (!existsSync(join(root, file))) return true;
    const text = texts.get(file) ?? read(file);
    texts.set(file, text);
    return !text.includes(words);
  });
  assert.deepEqual(missing, []);
});

test('no key is listed that nobody reads', () => {
  const server = askedFor(readServerFile(fileOf('every-key-server.conf'), 'x').audit);
  const agent = askedFor(readAgentFile(fileOf('every-key-agent.conf'), 'x').audit);
  for (const [proofs, asked] of [
    [serverKeys, server],
    [agentKeys, agent],
  ] as const) {
    for (const [section, keys] of Object.entries(proofs)) {
      const unread = Object.keys(keys).filter((key) => asked.get(section)?.has(key) !== true);
      assert.deepEqual(unread, [], section);
    }
  }
});
