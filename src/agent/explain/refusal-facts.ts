import type { Clock } from '../../base/clock.ts';
import { monotonicMilliseconds } from '../../base/monotonic.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { LogFields } from '../../ops/log.ts';
import type { AgentStatus } from '../status.ts';
import { nearEntries } from './near-entries.ts';

/** Entries are compared for so many refusals a second; whoever is refused more often is told of more shortly. */
const PER_SECOND = 10;
/** With thousands of entries a comparison takes long: then no more than this part of the time goes into them. */
const MAX_SHARE = 0.02;
const LONG_MILLISECONDS = 1;

export type RefusalFactsDeps = {
  readonly status: AgentStatus;
  readonly clock: Pick<Clock, 'now'>;
  /** undefined: there is no admin socket. */
  readonly adminSocketPath: string | undefined;
};

/** Why a caller was refused, for the line in the log that says so; of selectors only those that may be logged. */
export type RefusalFacts = (
  selectors: ReadonlySet<string>,
  mayTell: (selector: string) => boolean,
) => LogFields;

export function createRefusalFacts(deps: RefusalFactsDeps): RefusalFacts {
  const { status, clock } = deps;
  const explain = whereToAsk(deps);
  const bucket = new TokenBucket(PER_SECOND, PER_SECOND, clock.now());
  let restsUntil = -Infinity;
  return (selectors, mayTell) => {
    const now = clock.now();
    const began = monotonicMilliseconds();
    if (began < restsUntil || bucket.take(1, now, 0) === undefined) return {};
    const { entries, lastSync, lastSyncSuccess } = status;
    const [nearest] = nearEntries(entries, selectors).told;
    const took = monotonicMilliseconds() - began;
    if (took > LONG_MILLISECONDS) restsUntil = began + took / MAX_SHARE;
    const lacks = nearest?.lacks.map(({ selector }) => selector) ?? [];
    return {
      explain,
      entries_known: entries.length,
      nearest_entry: nearest?.entryId,
      nearest_spiffe_id: nearest?.spiffeId,
      nearest_lacks: nearest && lacks.length,
      nearest_lacks_selectors: lacks.filter(mayTell).join(',') || undefined,
      last_sync_age_seconds: lastSyncSuccess && Math.round((now - lastSyncSuccess) / 1000),
      last_sync_error: lastSync?.failure,
    };
  };
}

/** The line tells what may be told to everybody who reads the log; the rest is on the admin socket. */
const whereToAsk = ({ adminSocketPath }: RefusalFactsDeps): string =>
  adminSocketPath === undefined
    ? 'set admin_socket_path, then ask "steeple explain"'
    : `steeple explain -socketPath ${adminSocketPath} -pid PID`;
