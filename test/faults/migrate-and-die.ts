/**
 * Migrates the database named by the first argument, and is killed when the statement whose number is the second
 * argument has run and before anybody knows.
 */
import { Kysely } from 'kysely';
import { silentLog } from '../../src/ops/log.ts';
import { adoptDatabase } from '../../src/server/datastore/adopt-database.ts';
import { sqlite } from '../../src/server/datastore/dialect.ts';
import type { Schema } from '../../src/server/datastore/schema.ts';
import { sqliteDialect } from '../../src/server/datastore/sqlite-driver.ts';
import { parseSqliteDsn } from '../../src/server/datastore/sqlite-dsn.ts';
import type { Statement } from '../../src/server/datastore/sqlite-messages.ts';
import { SqliteThread } from '../../src/server/datastore/sqlite-thread.ts';

const [file = '', last = '0'] = process.argv.slice(2);
const dsn = parseSqliteDsn(file);
const thread = await SqliteThread.open(dsn);
let count = 0;
const runner = {
  async run(statement: Statement) {
    const outcome = await thread.run(statement);
    count += 1;
    if (count === Number(last)) process.kill(process.pid, 'SIGKILL');
    return outcome;
  },
};
const db = new Kysely<Schema>({ dialect: sqliteDialect(runner, dsn.transactionLock) });
await adoptDatabase({ db, dialect: sqlite, clock: Date }, dsn.pragmas, {
  codeVersion: '1.16.0',
  disableMigration: false,
  log: silentLog,
});
console.log(`migrated in ${count} statements`);
await db.destroy();
await thread[Symbol.asyncDispose]();
