import type { Bundle } from '../../spiffe/bundle.ts';
import { Mailbox } from './mailbox.ts';

/** The own trust domain's bundle first, then the others ascending by trust domain. */
export type BundleList = readonly Bundle[];

/** Ended by disposing it. */
export interface BundleSubscription extends Disposable {
  /**
   * The bundles as they are now; then again after each change. Rejects with the signal's reason when it aborts first.
   * One caller at a time.
   */
  next(signal: AbortSignal): Promise<BundleList>;
}

/** Tells those who listen of every change of the agent's bundles. */
export class BundleNews {
  readonly #listeners = new Set<Mailbox<BundleList>>();

  subscribe(now: BundleList): BundleSubscription {
    const mailbox = new Mailbox<BundleList>();
    mailbox.deliver(now);
    this.#listeners.add(mailbox);
    return {
      next: (signal) => mailbox.next(signal),
      [Symbol.dispose]: () => {
        this.#listeners.delete(mailbox);
      },
    };
  }

  tell(bundles: BundleList): void {
    for (const mailbox of this.#listeners) mailbox.deliver(bundles);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }
}
