import { randomUUID } from 'node:crypto';
import { Kysely, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import { createTables, inspectDatabase, raiseCodeVersion } from './adopt-database.ts';
import { createAgentStore } from './agent-store.ts';
import { createBundleStore } from './bundle-store.ts';
import { createCaJournalStore } from './ca-journal-store.ts';
import type { Datastore } from './contract.ts';
import { type StoreDeps, sqlite } from './dialect.ts';
import { createEntryStore } from './entry-store.ts';
import { pruneEvents } from './events.ts';
import { createJoinTokenStore } from './join-token-store.ts';
import { loggedRunner } from './logged-runner.ts';
import { createRelationshipStore } from './relationship-store.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite-driver.ts';
import { parseSqliteDsn, type SqliteDsn } from './sqlite-dsn.ts';
import { SqliteThread } from './sqlite-thread.ts';

export type SqliteDatastoreOptions = {
  /** As SPIRE's `connection_string` for `sqlite3`: a path, or `file:path?mode=…&_synchronous=…`. */
  readonly connectionString: string;
  /** The SPIRE release that this server stands in for; the database keeps it beside the schema's version. */
  readonly codeVersion: string;
  readonly log: Log;
  readonly clock: Pick<Clock, 'now'>;
};

/**
 * Opens the database, which is made if there is none. Throws, having changed nothing, where the database is
 * not ours or of a release that this one does not know.
 */
export async function openSqliteDatastore(options: SqliteDatastoreOptions): Promise<Datastore> {
  const { connectionString, log, clock } = options;
  const dsn = parseSqliteDsn(connectionString);
  log.info('Opening SQL database', { db_type: 'sqlite3' });
  await using opened = new AsyncDisposableStack();
  const thread = opened.use(await SqliteThread.open(dsn));
  const db = new Kysely<Schema>({ dialect: sqliteDialect(thread, dsn.transactionLock) });
  opened.defer(() => db.destroy());
  const deps: StoreDeps = { db, dialect: sqlite, clock };
  await adopt(deps, dsn, options);
  log.info('Connected to SQL database', {
    type: 'sqlite3',
    version: process.versions.sqlite,
    read_only: false,
  });
  log.info('Configured DataStore', { reconfigurable: false });
  const running = opened.move();
  return {
    entries: createEntryStore({ ...deps, newId: randomUUID }),
    agents: createAgentStore(deps),
    bundles: createBundleStore(deps),
    joinTokens: createJoinTokenStore(deps),
    caJournals: createCaJournalStore(deps),
    pruneEvents: (before) => pruneEvents(deps, before),
    failed: thread.failed,
    relationships: createRelationshipStore(deps),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Looks first, and only then sets what changes the file. */
async function adopt(
  { db, dialect, clock }: StoreDeps,
  { pragmas }: SqliteDsn,
  { codeVersion, log }: SqliteDatastoreOptions,
): Promise<void> {
  const found = await inspectDatabase(db, { codeVersion, log });
  for (const pragma of pragmas) await sql.raw(pragma).execute(db);
  const now = dialect.writeTime(clock.now());
  if (found.kind === 'empty') {
    log.info('Initializing new database');
    await createTables(db, { codeVersion, now });
  } else if (found.raiseCodeVersion) {
    await raiseCodeVersion(db, { codeVersion, now });
  }
}
