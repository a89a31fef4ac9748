import { CompiledQuery, sql } from 'kysely';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { batch } from './batch.ts';
import { areCompatible, isNewer, parseCodeVersion } from './code-version.ts';
import { type Database, SCHEMA_VERSION } from './schema.ts';
import { sqliteTables } from './sqlite-tables.ts';

/** What a database turned out to be. */
export type Found =
  | { readonly kind: 'empty' }
  | { readonly kind: 'ours'; readonly raiseCodeVersion: boolean };

/**
 * Looks, without changing anything, whether this server may work on the database (`reference/server.md` §8.2). Throws
 * 'failed-precondition' with what to do where it may not.
 */
export async function inspectDatabase(
  db: Database,
  { codeVersion, log }: { codeVersion: string; log: Log },
): Promise<Found> {
  const columns = await storedColumns(db);
  if (columns.size === 0) return { kind: 'empty' };
  const migration = await readMigration(db, columns);
  if (migration.version < SCHEMA_VERSION) throw tooOld(migration.version);
  if (migration.version > SCHEMA_VERSION) {
    checkNewer(migration, codeVersion);
    log.warn('The database schema is newer than this server', {
      schema: migration.version,
      code_version: migration.codeVersion,
    });
  }
  checkColumns(columns);
  const [stored, own] = [parseCodeVersion(migration.codeVersion), parseCodeVersion(codeVersion)];
  return {
    kind: 'ours',
    raiseCodeVersion:
      migration.version === SCHEMA_VERSION &&
      own !== undefined &&
      (stored === undefined || isNewer(own, stored)),
  };
}

/** Makes all tables and the row that says what they are, or nothing. */
export async function createTables(
  db: Database,
  { codeVersion, now }: { codeVersion: string; now: string },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await batch(tx, [
      ...sqliteTables.map((statement) => ({ compile: () => CompiledQuery.raw(statement) })),
      tx.insertInto('migrations').values({
        created_at: now,
        updated_at: now,
        version: SCHEMA_VERSION,
        code_version: codeVersion,
      }),
    ]);
  });
}

export async function raiseCodeVersion(
  db: Database,
  { codeVersion, now }: { codeVersion: string; now: string },
): Promise<void> {
  await db
    .updateTable('migrations')
    .set({ code_version: codeVersion, updated_at: now })
    .where('version', '=', SCHEMA_VERSION)
    .execute();
}

/** The column names of each table. */
type Columns = ReadonlyMap<string, ReadonlySet<string>>;

async function storedColumns(db: Database): Promise<Columns> {
  const { rows } = await sql<{ table_name: string; column_name: string }>`
    select m.name as table_name, c.name as column_name
    from sqlite_master as m join pragma_table_info(m.name) as c
    where m.type = 'table' and m.name not like 'sqlite_%'
  `.execute(db);
  const tables = Map.groupBy(rows, (row) => row.table_name);
  return new Map(
    [...tables].map(([table, found]) => [table, new Set(found.map((row) => row.column_name))]),
  );
}

type Migration = { readonly version: number; readonly codeVersion: string };

async function readMigration(db: Database, columns: Columns): Promise<Migration> {
  const migrations = columns.get('migrations');
  if (!migrations?.has('version') || !migrations.has('code_version')) {
    throw notOurs(`it has tables (${listed([...columns.keys()])}), but none that says its version`);
  }
  const row = await db
    .selectFrom('migrations')
    .select(['version', 'code_version'])
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (typeof row?.version !== 'number') throw notOurs('its table "migrations" names no version');
  return { version: row.version, codeVersion: row.code_version ?? '' };
}

function checkNewer(migration: Migration, codeVersion: string): void {
  const [stored, own] = [parseCodeVersion(migration.codeVersion), parseCodeVersion(codeVersion)];
  if (stored !== undefined && own !== undefined && areCompatible(stored, own)) return;
  throw new Fault(
    'failed-precondition',
    `datastore-sql: incompatible DB schema and code version: the database has schema version ${migration.version} of ` +
      `release ${migration.codeVersion || '(unknown)'}, this server knows version ${SCHEMA_VERSION} of release ` +
      `${codeVersion}; run the release that wrote it, or restore a backup from before the upgrade; nothing was changed`,
  );
}

/** Before this one the columns differ; from this one on the release before this one wrote it. */
const OLDEST_MIGRATED_VERSION = 23;

function tooOld(version: number): Fault {
  if (version < OLDEST_MIGRATED_VERSION) {
    return new Fault(
      'failed-precondition',
      `datastore-sql: migrating from schema version ${version} requires a previous SPIRE release; please follow the ` +
        'upgrade strategy at doc/upgrading.md',
    );
  }
  return new Fault(
    'failed-precondition',
    `datastore-sql: the database has schema version ${version}, and this server does not migrate to version ` +
      `${SCHEMA_VERSION}; start SPIRE 1.16 on it once, which does, and then this server; nothing was changed`,
  );
}

function checkColumns(columns: Columns): void {
  const missing = Object.entries(requiredColumns()).flatMap(([table, names]) => {
    const stored = columns.get(table);
    if (stored === undefined) return [table];
    return names.filter((name) => !stored.has(name)).map((name) => `${table}.${name}`);
  });
  if (missing.length > 0) {
    throw notOurs(`it calls itself schema version ${SCHEMA_VERSION}, but lacks ${listed(missing)}`);
  }
}

/** As the statements that make them say: every quoted word of a table is a name. */
function requiredColumns(): Record<string, string[]> {
  return Object.fromEntries(
    sqliteTables
      .filter((statement) => statement.startsWith('CREATE TABLE'))
      .map((statement) => {
        const [table = '', ...names] = [...statement.matchAll(/"(\w+)"/g)].map(
          ([, name]) => name ?? '',
        );
        return [table, names];
      }),
  );
}

const notOurs = (why: string): Fault =>
  new Fault(
    'failed-precondition',
    `datastore-sql: this is not the database of a SPIFFE server: ${why}; set connection_string to a new path or to ` +
      "a SPIRE server's database; nothing was changed",
  );

const MAX_LISTED = 5;

const listed = (names: readonly string[]): string =>
  names.length <= MAX_LISTED
    ? names.join(', ')
    : `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more`;
