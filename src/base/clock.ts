import { setTimeout as wait } from 'node:timers/promises';

/** Time as a collaborator, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Node's timers take no longer delay; a longer wait is made of several. */
const MAX_TIMER_MILLISECONDS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    for (let left = milliseconds; left > 0; left -= MAX_TIMER_MILLISECONDS) {
      await wait(Math.min(left, MAX_TIMER_MILLISECONDS), undefined, signal && { signal }).catch(
        (error: unknown) => {
          throw signal?.reason ?? error;
        },
      );
    }
    signal?.throwIfAborted();
  },
};

/** Unix seconds, rounded down. */
export const unixSeconds = (clock: Pick<Clock, 'now'>): number => Math.floor(clock.now() / 1000);
