import { type Clock, unixSeconds } from '../base/clock.ts';
import { formatGoDuration } from '../base/duration.ts';
import { reasonOf } from '../base/fault.ts';
import { repeat } from '../base/repeat.ts';
import type { ClockWatch } from '../ops/clock-watch.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { timedCall } from '../ops/metrics-call.ts';
import type { NodePruning } from './config/server-config.ts';
import type { Datastore } from './datastore/contract.ts';
import type { Registry } from './registry/contract.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** The intervals of `reference/server.md` §8.4. */
const ENTRY_INTERVAL = 5 * MINUTE;
const NODE_INTERVAL = HOUR;
/** Servers on one database do not prune its nodes all at once. */
const NODE_INTERVAL_SPREAD = 15 * MINUTE;

/** However young the events may get that are deleted. */
const MIN_EVENT_INTERVAL = SECOND;

const PRUNE_ENTRIES = ['registration_entry', 'manager', 'prune'];
const PRUNE_NODES = ['node', 'manager', 'prune'];

export type UpkeepDeps = {
  readonly entries: Pick<Registry['entries'], 'pruneExpired'>;
  readonly agents: Pick<Registry['agents'], 'pruneExpired'>;
  readonly datastore: Pick<Datastore, 'pruneEvents'>;
  /** undefined: attested nodes stay. */
  readonly nodePruning: NodePruning | undefined;
  readonly pruneEventsOlderThanSeconds: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Whether the date can be believed. */
  readonly clockWatch: Pick<ClockWatch, 'isSteady'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
};

/**
 * Deletes what has expired, until it is disposed. Failures are logged, and tried again. While the date is in doubt
 * nothing is deleted.
 */
export function startUpkeep(deps: UpkeepDeps): AsyncDisposable {
  const stop = new AbortController();
  const { clock, nodePruning } = deps;
  const every = (milliseconds: number, task: () => Promise<void>) =>
    repeat({ clock, signal: stop.signal, milliseconds }, async () => {
      if (deps.clockWatch.isSteady()) await task();
    });
  const loops = [
    every(ENTRY_INTERVAL, () => pruneEntries(deps)),
    every(eventInterval(deps), () => pruneEvents(deps)),
  ];
  if (nodePruning !== undefined) {
    const log = deps.log.child({ subsystem_name: 'node_manager' });
    log.info('Periodic prune of expired nodes started', {
      expired_for: goDuration(nodePruning.expiredForSeconds),
      include_tofu: nodePruning.includeTofu,
    });
    const spread = (deps.random() * 2 - 1) * NODE_INTERVAL_SPREAD;
    loops.push(every(NODE_INTERVAL + spread, () => pruneNodes(deps, nodePruning, log)));
  }
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

const eventInterval = ({ pruneEventsOlderThanSeconds }: UpkeepDeps): number =>
  Math.max(MIN_EVENT_INTERVAL, (pruneEventsOlderThanSeconds * SECOND) / 2);

async function pruneEntries({ entries, clock, ...deps }: UpkeepDeps): Promise<void> {
  const log = deps.log.child({ subsystem_name: 'registration_manager' });
  try {
    const before = unixSeconds(clock);
    const pruned = await timedCall(deps.metrics, PRUNE_ENTRIES, () => entries.pruneExpired(before));
    for (const entry of pruned) {
      log.info('Pruned an expired registration', {
        spiffe_id: entry.spiffeId.toString(),
        parent_id: entry.parentId.toString(),
        entry_id: entry.id,
      });
    }
  } catch (error) {
    log.error('Failed pruning registration entries', { error: reasonOf(error) });
  }
}

async function pruneNodes(
  { agents, metrics, clock }: UpkeepDeps,
  { expiredForSeconds, batchSize, includeTofu }: NodePruning,
  log: Log,
): Promise<void> {
  try {
    const rule = {
      beforeUnixSeconds: unixSeconds(clock) - expiredForSeconds,
      includeNonReattestable: includeTofu,
      limit: batchSize,
    };
    const pruned = await timedCall(metrics, PRUNE_NODES, () => agents.pruneExpired(rule));
    log.info('Pruned expired agents', { count: pruned.length });
  } catch (error) {
    log.error('Failed to prune expired agents', { error: reasonOf(error) });
  }
}

async function pruneEvents(deps: UpkeepDeps): Promise<void> {
  const { datastore, clock, log, pruneEventsOlderThanSeconds } = deps;
  try {
    await datastore.pruneEvents(unixSeconds(clock) - pruneEventsOlderThanSeconds);
  } catch (error) {
    log.error('Failed to prune events', { error: reasonOf(error) });
  }
}

const goDuration = (seconds: number): string => formatGoDuration(BigInt(Math.round(seconds * 1e9)));
