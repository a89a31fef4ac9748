import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const fixture = join(import.meta.dirname, '../data/fixtures/server/data/datastore.sqlite3');

/** What each version has that the one before it has not (`reference/server.md` §8.2). */
const added: readonly { readonly version: number; readonly table: string; column: string }[] = [
  { version: 25, table: 'registered_entries', column: 'additional_attributes' },
  { version: 24, table: 'attested_node_entries', column: 'agent_version' },
];

/** Makes of SPIRE's recorded database the one that a release before it would have left. */
export function makeOldDatabase(file: string, version: number, codeVersion: string): void {
  copyFileSync(fixture, file);
  chmodSync(file, 0o600);
  using database = new DatabaseSync(file);
  for (const { table, column } of added.filter((one) => one.version > version)) {
    database.exec(`alter table ${table} drop column ${column}`);
  }
  database.prepare('update migrations set version = ?, code_version = ?').run(version, codeVersion);
}

/** `25 1.16.0`, and the columns that came late. */
export function schemaOf(file: string): { readonly migrated: string; readonly columns: string[] } {
  using database = new DatabaseSync(file);
  const row = database
    .prepare("select version || ' ' || code_version as migrated from migrations")
    .get();
  const columns = added
    .filter(({ table, column }) =>
      database
        .prepare(`pragma table_info(${table})`)
        .all()
        .some(({ name }) => name === column),
    )
    .map(({ column }) => column)
    .toReversed();
  return { migrated: String(row?.['migrated']), columns };
}
