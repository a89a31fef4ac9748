import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { configFiles } from '../ops/config-env.ts';
import { silentLog } from '../ops/log.ts';
import { loadServerConfig } from './config.ts';
import { openDatastore } from './open-datastore.ts';

/** Opens what a configuration with that DataStore section says, and resolves with what was logged. */
async function open(folder: string, section: string): Promise<readonly LogLine[]> {
  const file = join(folder, 'server.conf');
  await writeFile(
    file,
    `server { trust_domain = "test" data_dir = "${folder}" } plugins { DataStore "sql" { ${section} } KeyManager "memory" {} }`,
  );
  const { datastore } = await loadServerConfig(
    { config: file },
    { cwd: folder, environment: {}, ...configFiles, openLog: async () => silentLog },
  );
  const lines: LogLine[] = [];
  await using opened = new AsyncDisposableStack();
  await openDatastore(datastore, { log: recordingLog(lines), clock: Date }, opened);
  await opened.disposeAsync();
  return lines;
}

const sqlite = (folder: string) =>
  `database_type = "sqlite3" connection_string = "${join(folder, 'datastore.sqlite3')}"`;

const texts = (lines: readonly LogLine[]) =>
  lines.map(({ message, fields: { subsystem_name: by } }) =>
    typeof by === 'string' ? `${by}: ${message}` : message,
  );

const OPENED = [
  'sql: Opening SQL database',
  'sql: Initializing new database',
  'sql: Connected to SQL database',
];

test('opens the database, and says so as SPIRE does', async (t) => {
  const folder = await temporaryFolder(t);
  assert.deepEqual(texts(await open(folder, `plugin_data { ${sqlite(folder)} }`)), [
    ...OPENED,
    'catalog: Configured DataStore',
    'catalog: DataStore closed',
  ]);
});

test('what is set and has no effect on an embedded database is told', async (t) => {
  const folder = await temporaryFolder(t);
  const more = 'max_open_conns = 3 max_idle_conns = 0 conn_max_lifetime = "1h"';
  const lines = await open(
    folder,
    `plugin_data { ${sqlite(folder)} ${more} ro_connection_string = "elsewhere" }`,
  );
  assert.deepEqual(texts(lines), [
    ...OPENED,
    'sql: Read-only connection is not applicable for sqlite3. Falling back to primary connection',
    'sql: Settings without effect: sqlite3 has one connection, which stays open',
    'catalog: Configured DataStore',
    'catalog: DataStore closed',
  ]);
  const settings = lines.map(({ fields }) => fields['settings']).find(Boolean);
  assert.equal(settings, 'max_open_conns,max_idle_conns,conn_max_lifetime');
});

test('reads its settings from plugin_data_file, and will not read them again', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'sql.conf'), sqlite(folder));
  assert.deepEqual(texts(await open(folder, `plugin_data_file = "${folder}/sql.conf"`)), [
    'catalog: DataStore is not reconfigurable even with a dynamic data source',
    ...OPENED,
    'catalog: Configured DataStore',
    'catalog: DataStore closed',
  ]);
});

const refused: readonly [data: string, message: RegExp][] = [
  ['database_type = "sqlite3', /^unable to decode .*sql\.conf": At 1:25: literal not terminated$/],
  ['', /^malformed database type configuration$/],
  ['database_type = "sqlite3"', /^datastore-sql: connection_string must be set$/],
  [
    'database_type = "oracle" connection_string = "x"',
    /^datastore-sql: unsupported database_type: oracle$/,
  ],
  [
    'database_type = "sqlite3" connection_string = "x" conn_max_lifetime = "y"',
    /^failed to parse conn_max_lifetime "y": time: invalid duration "y"$/,
  ],
  [
    'database_type = "postgres" connection_string = "x"',
    /^datastore-sql: this version knows database_type sqlite3 only$/,
  ],
  [
    'database_type = "sqlite3" connection_string = "http://x"',
    /^datastore-sql: datastore-sql: unsupported scheme "http"$/,
  ],
];
for (const [data, message] of refused) {
  test(`a plugin_data_file with ${data || 'nothing'} is refused`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'sql.conf'), data);
    const opening = open(folder, `plugin_data_file = "${folder}/sql.conf"`);
    await assert.rejects(opening, { name: 'Fault', message });
  });
}

test('a plugin_data_file that is not there is named', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(open(folder, `plugin_data_file = "${folder}/none"`), {
    message: `failed to load plugin data: open ${folder}/none: no such file or directory`,
  });
});
