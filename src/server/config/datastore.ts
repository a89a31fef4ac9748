import { parseSeconds } from '../../base/complaints.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { Settings } from '../../base/settings.ts';
import { type PluginSection, type ReadFile, withDataFile } from '../../catalog/plugin-sections.ts';
import type { DatastoreSettings } from './server-config.ts';

/**
 * The one datastore there may be, disabled or not. That it is one, and `sql`, is for `run` to refuse: SPIRE's
 * `validate` lets both pass (`reference/plugin-protocol.md` §1). undefined if there is none.
 */
export function readDatastores(sections: readonly PluginSection[]): DatastoreSettings | undefined {
  const [section, ...others] = sections;
  if (section === undefined) return undefined;
  const refusal = whyRefused(section, others.length);
  if (section.dataFile === undefined) {
    const settings = readDatastore(section.data);
    return { ...settings, refusal: refusal ?? settings.refusal };
  }
  return { ...readDatastore(undefined), complaints: [], refusal, inFile: section };
}

/** The settings with what their `plugin_data_file` says, if they have one. Throws where it cannot be read. */
export async function readDatastoreFile(
  settings: DatastoreSettings,
  readFile: ReadFile,
): Promise<DatastoreSettings> {
  if (settings.inFile === undefined) return settings;
  try {
    const { data } = await withDataFile(settings.inFile, readFile);
    const read = readDatastore(data);
    return { ...read, refusal: settings.refusal ?? read.refusal };
  } catch (error) {
    if (!(error instanceof Fault && error.kind === 'invalid')) throw error;
    return { ...settings, complaints: [error.message] }; // no such syntax
  }
}

function whyRefused(section: PluginSection, others: number): string | undefined {
  if (others > 0) return 'only one DataStore plugin is allowed';
  if (section.name === 'sql' && section.command === undefined) return undefined;
  return 'pluggability for the DataStore is deprecated; only the built-in "sql" plugin is supported';
}

/** Reads the data of the `sql` DataStore (`reference/server.md` §3.1); keys that nobody knows are let pass. */
function readDatastore(data = Settings.empty()): DatastoreSettings {
  const complaints: string[] = [];
  const databaseType = readDatabaseType(data, complaints);
  const settings = {
    databaseType,
    connectionString: data.string('connection_string'),
    readOnlyConnectionString: data.string('ro_connection_string'),
    disableMigration: data.bool('disable_migration'),
    logSql: data.bool('log_sql'),
  };
  for (const key of MYSQL_AND_POSTGRES.texts) data.string(key);
  const pool = POOL.filter((key) => data.optionalInt(key) !== undefined);
  const lifetime = data.string('conn_max_lifetime');
  complaints.unshift(...data.problems.all.map(({ text }) => text));
  if (complaints.length === 0) complaints.push(...missing(settings));
  return {
    ...settings,
    withoutEffect: lifetime === '' ? pool : [...pool, 'conn_max_lifetime'],
    complaints,
    refusal: complaints.length === 0 ? whyNotOpened(databaseType, lifetime) : undefined,
    inFile: undefined,
  };
}

/** Of no meaning for sqlite3, but read, so that wrong types are found. */
const MYSQL_AND_POSTGRES = { texts: ['root_ca_path', 'client_cert_path', 'client_key_path'] };

/** Of no meaning for sqlite3 here, which has one connection that stays. */
const POOL = ['max_open_conns', 'max_idle_conns'];

/** A text, or one block named for the type. */
function readDatabaseType(data: Settings, complaints: string[]): string {
  const item = data.items('database_type')?.at(-1);
  const { keys, value } = item ?? { keys: [], value: undefined };
  if (keys.length === 0 && (value?.kind === 'string' || value?.kind === 'heredoc')) {
    return value.text;
  }
  const types = keys.length > 0 ? [keys[0]?.name ?? ''] : blockNames(value);
  const [type = ''] = types ?? [];
  if (types === undefined) complaints.push('malformed database type configuration');
  else if (types.length !== 1) complaints.push('exactly one database type is expected');
  else if (!BLOCK_TYPES.includes(type)) complaints.push(`unknown database type: ${type}`);
  return type;
}

const BLOCK_TYPES = ['aws_postgres', 'aws_mysql'];

function blockNames(value: PluginValue | undefined): string[] | undefined {
  if (value?.kind !== 'object') return undefined;
  return value.items.map(({ keys }) => keys[0]?.name ?? '');
}

type PluginValue = NonNullable<ReturnType<Settings['items']>>[number]['value'];

function missing({
  databaseType,
  connectionString,
}: Pick<DatastoreSettings, 'databaseType' | 'connectionString'>): string[] {
  if (databaseType === '') return ['datastore-sql: database_type must be set'];
  if (connectionString === '') return ['datastore-sql: connection_string must be set'];
  return [];
}

const KNOWN_TYPES = ['sqlite3', 'postgres', 'mysql', 'aws_postgres', 'aws_mysql'];

/** What SPIRE finds only when it opens the database. */
function whyNotOpened(databaseType: string, lifetime: string): string | undefined {
  if (!KNOWN_TYPES.includes(databaseType)) {
    return `datastore-sql: unsupported database_type: ${databaseType}`;
  }
  try {
    if (lifetime !== '') parseSeconds(lifetime);
    return undefined;
  } catch (error) {
    return `failed to parse conn_max_lifetime ${goQuote(lifetime)}: ${reasonOf(error)}`;
  }
}
