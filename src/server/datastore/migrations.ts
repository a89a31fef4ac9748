import { CompiledQuery, sql } from 'kysely';
import type { Log } from '../../ops/log.ts';
import { type Database, SCHEMA_VERSION } from './schema.ts';

/** What a schema version has more than the one before it (`reference/server.md` §8.2). */
export type Migration = {
  readonly from: number;
  readonly table: string;
  readonly column: string;
  readonly statement: string;
};

/** In order, without gaps, up to our version. */
export const migrations: readonly Migration[] = [
  {
    from: 23, // SPIRE 1.8 to 1.15
    table: 'attested_node_entries',
    column: 'agent_version',
    statement: 'ALTER TABLE "attested_node_entries" ADD "agent_version" varchar(255)',
  },
  {
    from: 24,
    table: 'registered_entries',
    column: 'additional_attributes',
    statement: 'ALTER TABLE "registered_entries" ADD "additional_attributes" blob',
  },
];

export const OLDEST_MIGRATED_VERSION = migrations[0]?.from ?? SCHEMA_VERSION;

/** What the migration from that version on adds. */
export const migrationsFrom = (version: number): readonly Migration[] =>
  migrations.filter(({ from }) => from >= version);

/**
 * Brings a database of an older version to ours. Each step is a transaction, so a crash leaves the version before it or
 * the one after it, and the next start goes on from there. A step that another server has taken meanwhile is left out.
 */
export async function migrate(
  db: Database,
  { version, codeVersion, now, log }: MigrationRun,
): Promise<void> {
  log.info('Running migrations...');
  for (const step of migrationsFrom(version)) {
    log.info('Migrating version', { version_info: String(step.from) });
    await db.transaction().execute(async (tx) => {
      const { numAffectedRows } = await sql`
        update migrations set version = ${step.from + 1}, code_version = ${codeVersion}, updated_at = ${now}
        where version = ${step.from}
      `.execute(tx);
      if (numAffectedRows === 1n) await tx.executeQuery(CompiledQuery.raw(step.statement));
    });
  }
  log.info('Done running migrations');
}

export type MigrationRun = {
  /** What the database has. */
  readonly version: number;
  readonly codeVersion: string;
  readonly now: string;
  readonly log: Log;
};
