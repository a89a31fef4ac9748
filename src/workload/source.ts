import { Fault } from '../base/fault.ts';

type Waiter<T> = { readonly resolve: (value: T | undefined) => void };

/**
 * The newest of a watch, for whoever asks, and each news of it for whoever iterates. It goes on by itself until it is
 * disposed.
 */
export class LiveValue<T extends object> {
  readonly #stop = new AbortController();
  readonly #waiting = new Set<Waiter<T>>();
  #current: T | undefined;
  #ended: { readonly error: unknown } | undefined;

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
      live.#end(signal?.reason);
    };
    signal?.throwIfAborted();
    signal?.addEventListener('abort', giveUp, { once: true });
    live.#follow(watch).catch((error: unknown) => {
      live.#end(error);
    });
    try {
      await live.#next();
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
    return live;
  }

  get current(): T {
    if (this.#current === undefined) throw new Fault('internal', 'nothing was received yet');
    return this.#current;
  }

  /** The current value, then the newest after each change; ends when the source is disposed, or the signal aborts. */
  async *updates(signal?: AbortSignal): AsyncGenerator<T, void> {
    let told: T | undefined;
    while (this.#ended === undefined) {
      const { current } = this;
      if (current !== told) {
        told = current;
        yield current;
      }
      if (current === this.#current && (await this.#next(signal)) === undefined) return;
    }
  }

  dispose(): void {
    this.#end(new Fault('canceled', 'the source was disposed'));
  }

  async #follow(watch: (signal: AbortSignal) => AsyncIterable<T>): Promise<void> {
    for await (const value of watch(this.#stop.signal)) {
      this.#current = value;
      this.#wake(value);
    }
  }

  /** Undefined when there will be none. Rejects while there has been none. */
  async #next(signal?: AbortSignal): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const waiter = { resolve };
    const giveUp = () => {
      this.#waiting.delete(waiter);
      resolve(undefined);
    };
    if (this.#ended === undefined && signal?.aborted !== true) this.#waiting.add(waiter);
    else resolve(undefined);
    signal?.addEventListener('abort', giveUp, { once: true });
    const value = await promise;
    signal?.removeEventListener('abort', giveUp);
    if (value === undefined && this.#current === undefined) throw this.#ended?.error;
    return value;
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#stop.abort();
    this.#wake(undefined);
  }

  #wake(value: T | undefined): void {
    for (const { resolve } of this.#waiting) resolve(value);
    this.#waiting.clear();
  }
}
