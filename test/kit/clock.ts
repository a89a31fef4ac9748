import type { Clock } from '../../src/base/clock.ts';

type Sleeper = { wakesAt: number; readonly wake: () => void };

/** A clock that moves only when the test moves it. Sleepers wake in the order of their times. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start: Date | number = Date.UTC(2026, 0, 1)) {
    this.#now = Number(start);
  }

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (milliseconds <= 0) return Promise.resolve();
    const abort = () => {
      this.#sleepers.delete(sleeper);
      reject(signal?.reason as Error);
    };
    const sleeper: Sleeper = {
      wakesAt: this.#now + milliseconds,
      wake: () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      },
    };
    this.#sleepers.add(sleeper);
    signal?.addEventListener('abort', abort, { once: true });
    return promise;
  }

  /** How many callers sleep; lets a test wait until its subject has come to rest. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Moves on, waking each sleeper at its own time and letting what it starts run before the next. */
  async advance({
    milliseconds = 0,
    seconds = 0,
  }: {
    milliseconds?: number;
    seconds?: number;
  }): Promise<void> {
    const end = this.#now + milliseconds + seconds * 1000;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.wakesAt);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** Somebody sets the date. Timers do not notice: who sleeps goes on for as long as was left. */
  jump({ seconds }: { seconds: number }): void {
    this.#now += seconds * 1000;
    for (const sleeper of this.#sleepers) sleeper.wakesAt += seconds * 1000;
  }

  #next(end: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.wakesAt <= end && (first === undefined || sleeper.wakesAt < first.wakesAt))
        first = sleeper;
    }
    return first;
  }
}

/** Lets pending promises and immediate callbacks run. */
async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
