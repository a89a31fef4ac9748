import { sql } from 'kysely';
import type { Fault } from '../../base/fault.ts';
import type { Database } from './schema.ts';
import { sqliteTables } from './sqlite-tables.ts';

/** The column names of each table. */
export type Columns = ReadonlyMap<string, ReadonlySet<string>>;

export async function storedColumns(db: Database): Promise<Columns> {
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

/** Throws what `refusal` makes of the columns that our statements need and the database lacks. */
export function requireColumns(
  columns: Columns,
  toBeAdded: readonly { readonly table: string; readonly column: string }[],
  refusal: (missing: readonly string[]) => Fault,
): void {
  const missing = Object.entries(requiredColumns()).flatMap(([table, names]) => {
    const stored = columns.get(table);
    if (stored === undefined) return [table];
    return names
      .filter((name) => !stored.has(name))
      .filter((name) => !toBeAdded.some((added) => added.table === table && added.column === name))
      .map((name) => `${table}.${name}`);
  });
  if (missing.length > 0) throw refusal(missing);
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

const MAX_LISTED = 5;

export const listed = (names: readonly string[]): string =>
  names.length <= MAX_LISTED
    ? names.join(', ')
    : `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more`;
