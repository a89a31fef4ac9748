import { type StoreDeps, stamps } from './dialect.ts';
import type { Database } from './schema.ts';

/**
 * SPIRE's servers learn of one another's writes from these rows, which are part of the writing transaction
 * (`reference/server.md` §8.3, "events").
 */
export async function addEntryEvents(
  tx: Database,
  deps: Omit<StoreDeps, 'db'>,
  entryIds: readonly string[],
): Promise<void> {
  const now = stamps(deps);
  await Promise.all(
    chunks(entryIds).map((ids) =>
      tx
        .insertInto('registered_entries_events')
        .values(ids.map((entry_id) => ({ ...now, entry_id })))
        .execute(),
    ),
  );
}

export async function addAgentEvents(
  tx: Database,
  deps: Omit<StoreDeps, 'db'>,
  spiffeIds: readonly string[],
): Promise<void> {
  const now = stamps(deps);
  await Promise.all(
    chunks(spiffeIds).map((ids) =>
      tx
        .insertInto('attested_node_entries_events')
        .values(ids.map((spiffe_id) => ({ ...now, spiffe_id })))
        .execute(),
    ),
  );
}

export async function pruneEvents(
  { db, dialect }: Pick<StoreDeps, 'db' | 'dialect'>,
  beforeUnixSeconds: number,
): Promise<void> {
  const old = dialect.isBefore('created_at', beforeUnixSeconds);
  await db.transaction().execute(async (tx) => {
    await Promise.all([
      tx.deleteFrom('registered_entries_events').where(old).execute(),
      tx.deleteFrom('attested_node_entries_events').where(old).execute(),
    ]);
  });
}

/** How many values one statement lists: far below every database's limit. */
const MAX_LISTED = 500;

export function chunks<T>(values: readonly T[]): T[][] {
  const parts = [];
  for (let at = 0; at < values.length; at += MAX_LISTED) {
    parts.push(values.slice(at, at + MAX_LISTED));
  }
  return parts;
}
