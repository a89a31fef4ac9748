import { randomUUID } from 'node:crypto';
import { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import { adoptDatabase } from './adopt-database.ts';
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
import { parseSqliteDsn } from './sqlite-dsn.ts';
import { SqliteThread } from './sqlite-thread.ts';
import { watchedRunner } from './watched-runner.ts';

export type SqliteDatastoreOptions = {
  /** As SPIRE's `connection_string` for `sqlite3`: a path, or `file:path?mode=…&_synchronous=…`. */
  readonly connectionString: string;
  /** The SPIRE release that this server stands in for; the database keeps it beside the schema's version. */
  readonly codeVersion: string;
  /** Use an older database as it is, or refuse it. */
  readonly disableMigration?: boolean;
  /** Log every statement, at level debug. */
  readonly logSql?: boolean;
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
  const watched = watchedRunner(thread, log);
  const runner = options.logSql ? loggedRunner(watched, log) : watched;
  const db = new Kysely<Schema>({ dialect: sqliteDialect(runner, dsn.transactionLock) });
  opened.defer(() => db.destroy());
  const deps: StoreDeps = { db, dialect: sqlite, clock };
  await adoptDatabase(deps, dsn.pragmas, { disableMigration: false, ...options });
  log.info('Connected to SQL database', {
    type: 'sqlite3',
    version: process.versions.sqlite,
    read_only: false,
  });
  const running = opened.move();
  return {
    entries: createEntryStore({ ...deps, newId: randomUUID }),
    agents: createAgentStore(deps),
    bundles: createBundleStore(deps),
    relationships: createRelationshipStore(deps),
    joinTokens: createJoinTokenStore(deps),
    caJournals: createCaJournalStore(deps),
    pruneEvents: (before) => pruneEvents(deps, before),
    failed: thread.failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
