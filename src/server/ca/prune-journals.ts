import { type Clock, unixSeconds } from '../../base/clock.ts';
import { reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { Entries } from '../../wire/gen/private/server/journal/journal_pb.ts';
import type { CaJournalStore } from '../datastore/contract.ts';
import { decodeEntries } from './journal.ts';

/** The journal of a server that is gone is kept so long after its last authority expired. */
const KEPT_AFTER_EXPIRY_SECONDS = 14 * 24 * 60 * 60;

export type PruneJournalsDeps = {
  readonly store: Pick<CaJournalStore, 'all' | 'delete'>;
  /** The row that this server goes on with. */
  readonly ownRowId: () => number;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

/** SPIRE counts it with the pruning of bundles. */
const PRUNE = ['ca', 'manager', 'bundle', 'prune'];

/** Deletes the journals of servers that will not come back (`reference/server.md` §6.2). Failures are logged. */
export async function pruneJournals(deps: PruneJournalsDeps): Promise<void> {
  try {
    await timedCall(deps.metrics, PRUNE, () => prune(deps));
  } catch (error) {
    deps.log.error('Could not prune CA journals', { error: reasonOf(error) });
  }
}

async function prune({ store, ownRowId, clock, log }: PruneJournalsDeps): Promise<void> {
  const before = unixSeconds(clock) - KEPT_AFTER_EXPIRY_SECONDS;
  for (const { id, data } of await store.all()) {
    if (id === ownRowId() || lastExpiry(decodeEntries(data)) > before) continue;
    await store.delete(id);
    log.info('Pruned stale CA journal record', { ca_journal_id: id });
  }
}

const lastExpiry = ({ x509CAs, jwtKeys }: Entries): number =>
  Math.max(0, ...[...x509CAs, ...jwtKeys].map(({ notAfter }) => Number(notAfter)));
