import type { Clock } from '../base/clock.ts';
import { formatGoDuration } from '../base/duration.ts';
import { repeat } from '../base/repeat.ts';
import type { Log } from './log.ts';

/** How often it is looked whether the date ran as evenly as the timers. */
const INTERVAL_MILLISECONDS = 10_000;
/** What a busy machine, or a time server's correction, may put between the two. */
const TOLERANCE_MILLISECONDS = 60_000;
/** After a jump the date may be wrong, or may have been; nothing is thrown away by it for so long. */
const DOUBT_MILLISECONDS = 60 * 60_000;

export type ClockWatch = AsyncDisposable & {
  /** Whether the date has not jumped for an hour. */
  isSteady(): boolean;
};

/** For tests that do not look. */
export const alwaysSteady: Pick<ClockWatch, 'isSteady'> = { isSteady: () => true };

/**
 * Notices when the date is set, or the machine was asleep, and tells it: SVIDs and authorities are good for a time, and
 * what has expired by a wrong clock must not be deleted for good.
 */
export function startClockWatch({
  clock,
  log,
}: {
  readonly clock: Clock;
  readonly log: Log;
}): ClockWatch {
  const stop = new AbortController();
  let last = clock.now();
  let inDoubtMilliseconds = 0;
  const look = async () => {
    const now = clock.now();
    const jump = now - last - INTERVAL_MILLISECONDS;
    last = now;
    inDoubtMilliseconds = Math.max(0, inDoubtMilliseconds - INTERVAL_MILLISECONDS);
    if (Math.abs(jump) < TOLERANCE_MILLISECONDS) return;
    inDoubtMilliseconds = DOUBT_MILLISECONDS;
    const by = formatGoDuration(BigInt(Math.round(Math.abs(jump) / 1000)) * 1_000_000_000n);
    log.warn(
      jump > 0
        ? 'The clock was set forward, or this machine was asleep; for an hour nothing that has expired is deleted'
        : 'The clock was set back; for an hour nothing that has expired is deleted',
      { by },
    );
  };
  const loop = repeat({ clock, signal: stop.signal, milliseconds: INTERVAL_MILLISECONDS }, look);
  return {
    // A jump since the last look counts too.
    isSteady: () =>
      inDoubtMilliseconds === 0 &&
      clock.now() - last > -TOLERANCE_MILLISECONDS &&
      clock.now() - last < INTERVAL_MILLISECONDS + TOLERANCE_MILLISECONDS,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
