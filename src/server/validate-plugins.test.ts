import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHcl } from '../base/hcl/read-hcl.ts';
import { Problems } from '../base/problems.ts';
import { Settings } from '../base/settings.ts';
import type { PluginSection, ReadFile } from '../catalog/plugin-sections.ts';
import type { DatastoreSettings } from './config/server-config.ts';
import { validateServerPlugins } from './validate-plugins.ts';

const sqlite: DatastoreSettings = {
  databaseType: 'sqlite3',
  connectionString: 'x',
  readOnlyConnectionString: '',
  disableMigration: false,
  logSql: false,
  withoutEffect: [],
  inFile: undefined,
  complaints: [],
  refusal: undefined,
};
const plugin = (
  type: string,
  name: string,
  changes: Partial<PluginSection> = {},
): PluginSection => ({
  type,
  name,
  args: [],
  checksum: '',
  dataFile: undefined,
  enabled: true,
  position: { line: 1, column: 1 },
  ...changes,
});
const data = (text: string) => ({ data: Settings.of(readHcl(text), new Problems('')) });
const memory = plugin('KeyManager', 'memory');
const noFile: ReadFile = async () => assert.fail('no file is read');

async function notes(plugins: PluginSection[], { datastore = sqlite, readFile = noFile } = {}) {
  return Object.fromEntries(await validateServerPlugins({ plugins, datastore }, readFile));
}

test('finds nothing wrong with plugins that are right', async () => {
  const plugins = [
    plugin('KeyManager', 'disk', data('keys_path = "/nosuch/keys.json"')),
    plugin('NodeAttestor', 'join_token'),
    plugin('NodeAttestor', 'k8s_psat', data('clusters = {}')), // comes later
    plugin('UpstreamAuthority', 'mine', { command: '/bin/plugin' }),
  ];
  assert.deepEqual(await notes(plugins), {});
});

const wrong: readonly [why: string, plugins: PluginSection[], expected: object][] = [
  [
    'no key manager',
    [],
    { KeyManager: ['constraint not satisfied: expected exactly 1 but got 0'] },
  ],
  [
    'two of a kind that there is one of',
    [
      memory,
      plugin('UpstreamAuthority', 'disk', { command: 'x' }),
      plugin('UpstreamAuthority', 'spire', { command: 'x' }),
    ],
    { UpstreamAuthority: ['constraint not satisfied: expected at most 1 but got 2'] },
  ],
  [
    'a setting that is missing',
    [plugin('KeyManager', 'disk')],
    { 'KeyManager "disk"': ['keys_path is required'] },
  ],
  [
    'settings for a plugin that takes none',
    [plugin('KeyManager', 'memory', data('x = 1'))],
    { 'KeyManager "memory"': ['no supported configuration interface found'] },
  ],
  [
    'settings for join tokens, which have none',
    [memory, plugin('NodeAttestor', 'join_token', data('a = 1'))],
    { 'NodeAttestor "join_token"': ['unknown setting "a" encountered', 'at 1:1'] },
  ],
];
for (const [why, plugins, expected] of wrong) {
  test(`notes ${why}`, async () => {
    assert.deepEqual(await notes(plugins), expected);
  });
}

test('a plugin checks its own settings', async () => {
  const said = await notes([memory, plugin('NodeAttestor', 'x509pop', data('mode = "other"'))]);
  assert.deepEqual(Object.keys(said), ['NodeAttestor "x509pop"']);
});

test("notes what is wrong in the datastore's file, and that it is not there", async () => {
  const section = { ...memory, type: 'DataStore', name: 'sql', dataFile: '/sql.conf' };
  const datastore = { ...sqlite, inFile: section };
  const containing = (text: string) => ({ datastore, readFile: async () => Buffer.from(text) });
  assert.deepEqual(await notes([memory], containing('database_type = "sqlite3"')), {
    'DataStore "sql"': Array(2).fill('datastore-sql: connection_string must be set'),
  });
  assert.deepEqual(await notes([memory], containing('database_type = "sqlite3')), {
    'DataStore "sql"': Array(2).fill(
      'unable to decode configuration at "/sql.conf": At 1:25: literal not terminated',
    ),
  });
  const sound = containing('database_type = "oracle" connection_string = "x"');
  assert.deepEqual(await notes([memory], sound), {}); // as SPIRE, which finds out when it runs
  const missing = async (): Promise<never> => {
    throw Object.assign(new Error('ENOENT: no such file or directory'), { code: 'ENOENT' });
  };
  await assert.rejects(notes([memory], { datastore, readFile: missing }), {
    message: 'failed to get DataStore configuration: open /sql.conf: no such file or directory',
  });
});

test('notes what is wrong with the datastore, twice as SPIRE does', async () => {
  const complaints = ['datastore-sql: database_type must be set'];
  assert.deepEqual(await notes([memory], { datastore: { ...sqlite, complaints } }), {
    'DataStore "sql"': [...complaints, ...complaints],
  });
  assert.deepEqual(
    Object.fromEntries(
      await validateServerPlugins({ plugins: [memory], datastore: undefined }, noFile),
    ),
    { 'DataStore "sql"': ["'datastore' must be configured"] },
  );
});

test('a plugin whose file cannot be read is noted, and does not count', async () => {
  const missing = plugin('KeyManager', 'disk', { dataFile: '/nosuch/disk.conf' });
  const readFile: ReadFile = () =>
    Promise.reject(
      Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: 'ENOENT' }),
    );
  assert.deepEqual(await notes([missing], { readFile }), {
    'KeyManager "disk"': [
      'failed to read plugin configuration: open /nosuch/disk.conf: no such file or directory',
    ],
    KeyManager: ['constraint not satisfied: expected exactly 1 but got 0'],
  });
});

const refusals: readonly [plugin: PluginSection, message: string][] = [
  [
    plugin('NodeAttestor', 'nosuch'),
    'failed to load plugin "nosuch": no built-in plugin "nosuch" for type "NodeAttestor"',
  ],
  [
    plugin('Notifier', 'nosuch'),
    'failed to load plugin "nosuch": no built-in plugin "nosuch" for type "Notifier"',
  ],
  [plugin('Nosuch', 'x'), 'unsupported plugin type "Nosuch"'],
  [
    plugin('NodeAttestor', 'join_token', { command: 'x' }),
    'the built-in join_token node attestor cannot be overridden by an external plugin',
  ],
];
for (const [unknown, message] of refusals) {
  test(`cannot ask ${unknown.type} ${unknown.name}`, async () => {
    await assert.rejects(notes([memory, unknown]), { message });
  });
}
