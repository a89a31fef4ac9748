/** What the main thread and the database thread tell one another. */

export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export type Statement = {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  /** Belongs to an open transaction: must not run by itself after the database has rolled that back. */
  readonly inTransaction: boolean;
};

/** Several at once: they run in this order, and one message answers them all. `close` is the last message. */
export type Request = readonly Statement[] | 'close';

export type Outcome =
  | { readonly kind: 'rows'; readonly rows: readonly SqlRow[] }
  | {
      readonly kind: 'changed';
      readonly changes: number | bigint;
      readonly lastId: number | bigint;
    }
  | Failure
  /** The statement's transaction is no longer open; nothing was done. */
  | { readonly kind: 'no-transaction' };

/**
 * `code` is SQLite's extended result code; undefined where the failure is not SQLite's; 'lost' where the file that is
 * open is not the one that the next start would open: nothing was done.
 */
export type Failure = {
  readonly kind: 'failed';
  readonly message: string;
  readonly code: number | 'lost' | undefined;
};

/** The statement that ends a transaction. */
export const COMMIT = 'commit';

export type Opening = { readonly uri: string; readonly busyTimeoutMilliseconds: number };
export type Opened = { readonly kind: 'opened' } | Failure;
