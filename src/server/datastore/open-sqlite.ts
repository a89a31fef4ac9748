import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Datastore } from './contract.ts';

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
export async function openSqliteDatastore(_options: SqliteDatastoreOptions): Promise<Datastore> {
  throw new Fault('unimplemented', 'openSqliteDatastore');
}
