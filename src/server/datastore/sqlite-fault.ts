import { Fault } from '../../base/fault.ts';
import type { Failure } from './sqlite-messages.ts';

const CONSTRAINT = 19;

/** What an operator can do, after SPIRE's words, by SQLite's primary result code. */
const remedies: Readonly<Record<number, string>> = {
  5: 'another process holds the lock on it',
  8: 'see the permissions of the file and its folder, and `mode` in the connection string',
  10: 'see the health of the disk',
  11: 'restore a backup',
  13: 'free some space',
  14: 'its folder must exist, and this user must be allowed to write to both',
  26: 'it is left as it is; set connection_string to another path',
};

const LOST_REMEDY = 'nothing was written; put it back, or restart the server on a backup';

/** What SQLite said, as SPIRE passes it on (`reference/server.md` §8.3, "errors"). */
export function sqliteFault({ message, code }: Failure): Fault {
  if (code === 'lost') {
    return new Fault('unknown', `datastore-sql: ${message} (${LOST_REMEDY})`);
  }
  if (code === undefined) return new Fault('internal', `datastore-sql: ${message}`);
  const primary = code & 0xff;
  const remedy = remedies[primary];
  return new Fault(
    primary === CONSTRAINT ? 'already-exists' : 'unknown',
    remedy === undefined ? `datastore-sql: ${message}` : `datastore-sql: ${message} (${remedy})`,
  );
}

/** SPIRE's answer where a row was expected. */
export const recordNotFound = (): Fault =>
  new Fault('not-found', 'datastore-sql: record not found');
