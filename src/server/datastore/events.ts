import { batch } from './batch.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import type { Database } from './schema.ts';

type Stamping = Omit<StoreDeps, 'db'>;

/**
 * SPIRE's servers learn of one another's writes from these rows, which are part of the writing transaction
 * (`reference/server.md` §8.3, "events").
 */
export function addEntryEvents(tx: Database, deps: Stamping, entryIds: readonly string[]) {
  const now = stamps(deps);
  return chunks(entryIds).map((ids) =>
    tx
      .insertInto('registered_entries_events')
      .values(ids.map((entry_id) => ({ ...now, entry_id }))),
  );
}

export function addAgentEvents(tx: Database, deps: Stamping, spiffeIds: readonly string[]) {
  const now = stamps(deps);
  return chunks(spiffeIds).map((ids) =>
    tx
      .insertInto('attested_node_entries_events')
      .values(ids.map((spiffe_id) => ({ ...now, spiffe_id }))),
  );
}

export async function pruneEvents(
  { db, dialect }: Pick<StoreDeps, 'db' | 'dialect'>,
  beforeUnixSeconds: number,
): Promise<void> {
  const old = dialect.isBefore('created_at', beforeUnixSeconds);
  await db.transaction().execute(async (tx) => {
    await batch(tx, [
      tx.deleteFrom('registered_entries_events').where(old),
      tx.deleteFrom('attested_node_entries_events').where(old),
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
