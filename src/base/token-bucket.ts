/**
 * A token bucket as Go's `x/time/rate` keeps it, whose refusals SPIRE's callers see: it fills with so many tokens a
 * second up to its burst, and may be overdrawn by whoever then waits. Times are milliseconds.
 */
export class TokenBucket {
  readonly #perMillisecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMillisecond = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes tokens and returns how long to wait for them, or takes none and returns undefined if that is too long. */
  take(count: number, now: number, longestWait: number): number | undefined {
    const elapsed = Math.max(0, now - this.#at); // of a clock that was set back nothing is known
    const tokens = Math.min(this.#burst, this.#tokens + elapsed * this.#perMillisecond) - count;
    const wait = tokens < 0 ? -tokens / this.#perMillisecond : 0;
    if (wait > longestWait) return undefined;
    this.#tokens = tokens;
    this.#at = now;
    return wait;
  }

  /** Gives back what somebody took and then did not wait for. */
  giveBack(count: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + count);
  }
}
