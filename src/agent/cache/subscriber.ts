import { Mailbox } from './mailbox.ts';
import type { WorkloadUpdate } from './workload-update.ts';

/** Ended by disposing it. */
export interface Subscription extends Disposable {
  /** The next update; rejects with the signal's reason when it aborts first. One caller at a time. */
  next(signal: AbortSignal): Promise<WorkloadUpdate>;
}

/** Waits for news of the identities of one set of selectors. A newer update replaces one that was not read. */
export class Subscriber extends Mailbox<WorkloadUpdate> implements Subscription {
  readonly selectors: ReadonlySet<string>;
  /** Until the first delivery: nothing is delivered before each matching entry has its SVID. */
  isNew = true;
  readonly #leave: (self: Subscriber) => void;

  constructor(selectors: ReadonlySet<string>, leave: (self: Subscriber) => void) {
    super();
    this.selectors = selectors;
    this.#leave = leave;
  }

  override deliver(update: WorkloadUpdate): void {
    this.isNew = false;
    super.deliver(update);
  }

  [Symbol.dispose](): void {
    this.#leave(this);
  }
}
