import { CompiledQuery, sql } from 'kysely';
import { batch } from './batch.ts';
import type { StoreDeps } from './dialect.ts';
import { type Inspection, inspectDatabase } from './inspect-database.ts';
import { migrate } from './migrations.ts';
import { type Database, SCHEMA_VERSION } from './schema.ts';
import { sqliteTables } from './sqlite-tables.ts';

/**
 * Makes a new database, migrates an older one, and notes our release in one of the same version. Looks first: throws
 * 'failed-precondition', having changed nothing, where the database is not ours to use.
 */
export async function adoptDatabase(
  { db, dialect, clock }: StoreDeps,
  /** Settings that change the file. */
  pragmas: readonly string[],
  inspection: Inspection,
): Promise<void> {
  const found = await inspectDatabase(db, inspection);
  for (const pragma of pragmas) await sql.raw(pragma).execute(db);
  const { codeVersion } = inspection;
  const now = dialect.writeTime(clock.now());
  if (found.kind === 'empty') {
    inspection.log.info('Initializing new database');
    await createTables(db, { codeVersion, now });
  } else if (found.kind === 'older') {
    await migrate(db, { ...found, codeVersion, now });
  } else if (found.raiseCodeVersion) {
    await raiseCodeVersion(db, { codeVersion, now });
  }
}

/** Makes all tables and the row that says what they are, or nothing. */
async function createTables(
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

async function raiseCodeVersion(
  db: Database,
  { codeVersion, now }: { codeVersion: string; now: string },
): Promise<void> {
  await db
    .updateTable('migrations')
    .set({ code_version: codeVersion, updated_at: now })
    .where('version', '=', SCHEMA_VERSION)
    .execute();
}
