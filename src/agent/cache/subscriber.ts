import type { WorkloadUpdate } from './workload-update.ts';

/** Ended by disposing it. */
export interface Subscription extends Disposable {
  /** The next update; rejects with the signal's reason when it aborts first. One caller at a time. */
  next(signal: AbortSignal): Promise<WorkloadUpdate>;
}

/** Waits for news of the identities of one set of selectors. A newer update replaces one that was not read. */
export class Subscriber implements Subscription {
  readonly selectors: ReadonlySet<string>;
  /** Until the first delivery: nothing is delivered before each matching entry has its SVID. */
  isNew = true;
  readonly #leave: (self: Subscriber) => void;
  #unread: WorkloadUpdate | undefined;
  #wake: (() => void) | undefined;

  constructor(selectors: ReadonlySet<string>, leave: (self: Subscriber) => void) {
    this.selectors = selectors;
    this.#leave = leave;
  }

  deliver(update: WorkloadUpdate): void {
    this.isNew = false;
    this.#unread = update;
    this.#wake?.();
  }

  async next(signal: AbortSignal): Promise<WorkloadUpdate> {
    while (this.#unread === undefined) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => {
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    const update = this.#unread;
    this.#unread = undefined;
    return update;
  }

  [Symbol.dispose](): void {
    this.#leave(this);
  }
}
