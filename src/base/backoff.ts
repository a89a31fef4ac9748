import type { Clock } from './clock.ts';

export type BackoffOptions = {
  readonly clock: Pick<Clock, 'now'>;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly multiplier: number;
  /** 0.5 spreads each wait evenly between half and one and a half of it. */
  readonly jitter: number;
  /** No wait may end later than so long after the first one was asked for; left out: no end. */
  readonly maxElapsedMs?: number;
};

export interface Backoff {
  /** Milliseconds to wait before the next try; undefined when it is time to give up. */
  next(): number | undefined;
  /** Starts anew, after a success. */
  reset(): void;
}

/** Waits that grow by a factor up to a limit, each with its own jitter, so that a fleet does not come back at once. */
export function createBackoff(options: BackoffOptions): Backoff {
  const { clock, random, initialMs, maxMs, multiplier, jitter, maxElapsedMs } = options;
  let interval = Math.min(initialMs, maxMs);
  let startedAt: number | undefined;
  return {
    next() {
      startedAt ??= clock.now();
      const wait = interval * (1 - jitter + 2 * jitter * random());
      interval = Math.min(interval * multiplier, maxMs);
      if (maxElapsedMs !== undefined && clock.now() - startedAt + wait > maxElapsedMs) {
        return undefined;
      }
      return wait;
    },
    reset() {
      interval = Math.min(initialMs, maxMs);
      startedAt = undefined;
    },
  };
}
