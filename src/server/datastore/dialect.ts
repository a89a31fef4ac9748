import { type Expression, type SqlBool, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Database } from './schema.ts';
import { readTimeText, timeText } from './time-text.ts';

/** What differs between databases, for the stores. */
export type Dialect = {
  writeTime(milliseconds: number): string;
  /** Unix seconds, with the fraction. Throws 'invalid'. */
  readTime(stored: string): number;
  /** Whether a time column holds an earlier moment, whatever the zone it is written in. */
  isBefore(column: string, unixSeconds: number): Expression<SqlBool>;
};

export const sqlite: Dialect = {
  writeTime: timeText,
  readTime: readTimeText,
  isBefore: (column, unixSeconds) =>
    sql<SqlBool>`unixepoch(${sql.ref(column)}, 'subsec') < ${unixSeconds}`,
};

/** What every store works with. */
export type StoreDeps = {
  readonly db: Database;
  readonly dialect: Dialect;
  readonly clock: Pick<Clock, 'now'>;
};

/** The columns that every new row has. */
export function stamps({ dialect, clock }: Omit<StoreDeps, 'db'>) {
  const now = dialect.writeTime(clock.now());
  return { created_at: now, updated_at: now };
}
