import { attempt, parseSeconds } from '../../base/complaints.ts';
import { goQuote } from '../../base/go-quote.ts';
import { Settings } from '../../base/settings.ts';
import type { PluginSection } from '../../catalog/plugin-sections.ts';
import type { DatastoreSettings } from './server-config.ts';

/**
 * The one datastore there may be, disabled or not. That it is one, and `sql`, is for `run` to refuse: SPIRE's
 * `validate` lets both pass (`reference/plugin-protocol.md` §1). undefined if there is none.
 */
export function readDatastores(sections: readonly PluginSection[]): DatastoreSettings | undefined {
  const [section, ...others] = sections;
  if (section === undefined) return undefined;
  const settings = readDatastore(section);
  const refusal = whyRefused(section, others.length);
  // What a file would say is not known.
  return section.dataFile === undefined
    ? { ...settings, refusal }
    : { ...settings, refusal, complaints: [] };
}

function whyRefused(section: PluginSection, others: number): string | undefined {
  if (others > 0) return 'only one DataStore plugin is allowed';
  if (section.name !== 'sql' || section.command !== undefined) {
    return 'pluggability for the DataStore is deprecated; only the built-in "sql" plugin is supported';
  }
  return section.dataFile && 'DataStore "sql" with plugin_data_file is not supported yet';
}

/** Reads the data of the `sql` DataStore (`reference/server.md` §3.1); keys that nobody knows are let pass. */
function readDatastore(section: PluginSection): Omit<DatastoreSettings, 'refusal'> {
  const data = section.data ?? Settings.empty();
  const complaints: string[] = [];
  const databaseType = readDatabaseType(data, complaints);
  const lifetime = data.string('conn_max_lifetime');
  const settings = {
    databaseType,
    connectionString: data.string('connection_string'),
    disableMigration: data.bool('disable_migration'),
    logSql: data.bool('log_sql'),
  };
  for (const key of MYSQL_AND_POSTGRES.texts) data.string(key);
  for (const key of MYSQL_AND_POSTGRES.numbers) data.int(key);
  if (lifetime !== '') {
    attempt(
      data.problems,
      () => parseSeconds(lifetime),
      (reason) => `failed to parse conn_max_lifetime ${goQuote(lifetime)}: ${reason}`,
    );
  }
  complaints.unshift(...data.problems.all.map(({ text }) => text));
  if (complaints.length === 0) complaints.push(...missing(settings));
  return { ...settings, complaints };
}

/** Of no meaning for sqlite3, but read, so that wrong types are found. */
const MYSQL_AND_POSTGRES = {
  texts: ['ro_connection_string', 'root_ca_path', 'client_cert_path', 'client_key_path'],
  numbers: ['max_open_conns', 'max_idle_conns'],
};

/** A text, or one block named for the type. */
function readDatabaseType(data: Settings, complaints: string[]): string {
  const item = data.items('database_type')?.at(-1);
  if (item === undefined) return '';
  const { keys, value } = item;
  if (keys.length === 0 && (value.kind === 'string' || value.kind === 'heredoc')) return value.text;
  const types = keys.length > 0 ? [keys[0]?.name ?? ''] : blockNames(value);
  if (types === undefined) complaints.push('malformed database type configuration');
  else if (types.length !== 1) complaints.push('exactly one database type is expected');
  return types?.[0] ?? '';
}

function blockNames(value: PluginValue): string[] | undefined {
  if (value.kind !== 'object') return undefined;
  return value.items.map(({ keys }) => keys[0]?.name ?? '');
}

type PluginValue = NonNullable<ReturnType<Settings['items']>>[number]['value'];

const KNOWN_TYPES = ['sqlite3', 'postgres', 'mysql', 'aws_postgres', 'aws_mysql'];

function missing({
  databaseType,
  connectionString,
}: Pick<DatastoreSettings, 'databaseType' | 'connectionString'>): string[] {
  if (databaseType === '') return ['datastore-sql: database_type must be set'];
  if (connectionString === '') return ['datastore-sql: connection_string must be set'];
  return KNOWN_TYPES.includes(databaseType)
    ? []
    : [`datastore-sql: unsupported database_type: ${databaseType}`];
}
