import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Log } from '../../ops/log.ts';
import {
  areCompatible,
  type CodeVersion,
  codeVersionText,
  isNewer,
  parseCodeVersion,
} from './code-version.ts';
import { migrationsFrom, OLDEST_MIGRATED_VERSION } from './migrations.ts';
import { type Database, SCHEMA_VERSION } from './schema.ts';
import { type Columns, listed, requireColumns, storedColumns } from './stored-columns.ts';

/** What a database turned out to be. */
export type Found =
  | { readonly kind: 'empty' }
  /** To be migrated from that version. */
  | { readonly kind: 'older'; readonly version: number; readonly log: Log }
  | { readonly kind: 'ours'; readonly raiseCodeVersion: boolean };

export type Inspection = {
  readonly codeVersion: string;
  /** Use an older database as it is, or refuse it. */
  readonly disableMigration: boolean;
  readonly log: Log;
};

/**
 * Looks, without changing anything, whether this server may work on the database (`reference/server.md` §8.2). Throws
 * 'failed-precondition' with what to do where it may not.
 */
export const inspectDatabase = (db: Database, inspection: Inspection): Promise<Found> =>
  db
    .transaction()
    .setAccessMode('read only') // one snapshot: another server may be migrating it
    .execute((tx) => inspect(tx, inspection));

async function inspect(db: Database, inspection: Inspection): Promise<Found> {
  const columns = await storedColumns(db);
  if (columns.size === 0) return { kind: 'empty' };
  const { version, codeVersion } = await readMigration(db, columns);
  const own = knownVersion(inspection.codeVersion);
  const log = inspection.log.child({ schema: String(version) });
  const stored = storedVersion(codeVersion, log);
  const versioned = log.child({ version_info: codeVersionText(stored) });
  const versions = { version, stored, own, log: versioned };
  if (version === SCHEMA_VERSION) {
    versioned.debug('Code and DB schema versions are the same. No migration needed');
    requireColumns(columns, [], lacking(version));
    return { kind: 'ours', raiseCodeVersion: isNewer(own, stored) };
  }
  if (inspection.disableMigration) {
    checkUsableAsIs(versions);
    requireColumns(columns, [], unusableAsIs(version));
    return { kind: 'ours', raiseCodeVersion: false };
  }
  if (version > SCHEMA_VERSION) {
    checkNewer(versions);
    requireColumns(columns, [], lacking(version));
    return { kind: 'ours', raiseCodeVersion: false };
  }
  if (version < OLDEST_MIGRATED_VERSION) throw tooOld(version);
  requireColumns(columns, migrationsFrom(version), lacking(version));
  return { kind: 'older', version, log: versioned };
}

/** What a database says of itself. */
type StoredMigration = { readonly version: number; readonly codeVersion: string };

async function readMigration(db: Database, columns: Columns): Promise<StoredMigration> {
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

type Versions = {
  readonly version: number;
  readonly stored: CodeVersion;
  readonly own: CodeVersion;
  readonly log: Log;
};

function knownVersion(text: string): CodeVersion {
  const version = parseCodeVersion(text);
  if (version === undefined) throw new TypeError(`this server's version is malformed: ${text}`);
  return version;
}

/** Databases of long ago have none. */
function storedVersion(text: string, log: Log): CodeVersion {
  const version = parseCodeVersion(text === '' ? '0.0.0' : text);
  if (version !== undefined) return version;
  const error = `unable to parse code version from DB: ${goQuote(text)} is no version`;
  log.error('Error getting DB code version', { error });
  throw new Fault(
    'failed-precondition',
    `datastore-sql: error getting DB code version: ${error}; see the table "migrations"; nothing was changed`,
  );
}

function checkNewer({ version, stored, own, log }: Versions): void {
  if (areCompatible(stored, own)) {
    log.warn('DB schema is ahead of code version, upgrading SPIRE Server is recommended');
    return;
  }
  log.error('Incompatible DB schema is too new for code version, upgrade SPIRE Server');
  throw new Fault(
    'failed-precondition',
    `datastore-sql: incompatible DB schema and code version: the database has schema version ${version} of ` +
      `release ${codeVersionText(stored)}, this server knows version ${SCHEMA_VERSION} of release ` +
      `${codeVersionText(own)}; run the release that wrote it, or restore a backup from before the upgrade; ` +
      'nothing was changed',
  );
}

function checkUsableAsIs({ version, stored, own, log }: Versions): void {
  if (areCompatible(stored, own)) return;
  const error = 'auto-migration must be enabled for current DB';
  log.error('Auto-migrate must be enabled', { error });
  throw new Fault(
    'failed-precondition',
    `datastore-sql: ${error}: it has schema version ${version} of release ${codeVersionText(stored)}; take ` +
      'disable_migration out of the configuration; nothing was changed',
  );
}

const tooOld = (version: number): Fault =>
  new Fault(
    'failed-precondition',
    `datastore-sql: migrating from schema version ${version} requires a previous SPIRE release; please follow the ` +
      'upgrade strategy at doc/upgrading.md',
  );

const lacking =
  (version: number) =>
  (missing: readonly string[]): Fault =>
    notOurs(`it calls itself schema version ${version}, but lacks ${listed(missing)}`);

/** In the words in which SPIRE fails here, a moment later. */
const unusableAsIs =
  (version: number) =>
  (missing: readonly string[]): Fault =>
    new Fault(
      'failed-precondition',
      `datastore-sql: no such column: ${listed(missing)}: the database has schema version ${version}; take ` +
        'disable_migration out of the configuration; nothing was changed',
    );

const notOurs = (why: string): Fault =>
  new Fault(
    'failed-precondition',
    `datastore-sql: this is not the database of a SPIFFE server: ${why}; set connection_string to a new path or to ` +
      "a SPIRE server's database; nothing was changed",
  );
