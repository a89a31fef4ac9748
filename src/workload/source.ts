import { Fault } from '../base/fault.ts';

const DISPOSED = { failure: new Fault('canceled', 'the source was disposed') };

type Waiter<T> = { readonly resolve: (value: T | undefined) => void };

/**
 * The newest of a watch, for whoever asks, and each news of it for whoever iterates. It goes on by itself until it is
 * disposed; what it had last stays.
 */
export class LiveValue<T extends object> {
  readonly #stop = new AbortController();
  readonly #waiting = new Set<Waiter<T>>();
  #current: T | undefined;
  /** Once there will be no more. */
  #end: { readonly failure: unknown } | undefined;

  /**
   * Resolves with the first value, for which it waits as long as that takes. Rejects with the signal's reason, or with
   * what the watch cannot be continued after.
   */
  static async open<T extends object>(
    watch: (signal: AbortSignal) => AsyncIterable<T>,
    signal?: AbortSignal,
  ): Promise<LiveValue<T>> {
    const live = new LiveValue<T>();
    const giveUp = () => {
      live.#stopWith(signal?.reason);
    };
    signal?.throwIfAborted();
    signal?.addEventListener('abort', giveUp, { once: true });
    void live.#follow(watch);
    try {
      if ((await live.#next()) === undefined) throw live.#end?.failure;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
    return live;
  }

  get current(): T {
    if (this.#current === undefined) throw new Fault('internal', 'nothing was received yet');
    return this.#current;
  }

  /**
   * The current value, then the newest after each change; ends when the source is disposed, or the signal aborts. Throws
   * what the watch cannot be continued after.
   */
  async *updates(signal?: AbortSignal): AsyncGenerator<T, void> {
    let told: T | undefined;
    while (this.#end === undefined) {
      const { current } = this;
      if (current !== told) {
        told = current;
        yield current;
      }
      if (current === this.#current && (await this.#next(signal)) === undefined) break;
    }
    if (signal?.aborted !== true && this.#end !== DISPOSED && this.#end !== undefined) {
      throw this.#end.failure;
    }
  }

  dispose(): void {
    this.#stopAs(DISPOSED);
  }

  async #follow(watch: (signal: AbortSignal) => AsyncIterable<T>): Promise<void> {
    try {
      for await (const value of watch(this.#stop.signal)) {
        this.#current = value;
        this.#wake(value);
      }
      this.#stopAs(DISPOSED); // that is when a watch ends without a failure
    } catch (error) {
      this.#stopWith(error);
    }
  }

  /** Undefined when there will be none. */
  async #next(signal?: AbortSignal): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const waiter = { resolve };
    const giveUp = () => {
      this.#waiting.delete(waiter);
      resolve(undefined);
    };
    if (this.#end === undefined && signal?.aborted !== true) this.#waiting.add(waiter);
    else resolve(undefined);
    signal?.addEventListener('abort', giveUp, { once: true });
    const value = await promise;
    signal?.removeEventListener('abort', giveUp);
    return value;
  }

  #stopWith(failure: unknown): void {
    this.#stopAs({ failure });
  }

  #stopAs(end: { readonly failure: unknown }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#stop.abort();
    this.#wake(undefined);
  }

  #wake(value: T | undefined): void {
    for (const { resolve } of this.#waiting) resolve(value);
    this.#waiting.clear();
  }
}
