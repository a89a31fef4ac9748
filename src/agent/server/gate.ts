/** Lets many in at once, or one alone. Whoever waits to be alone lets nobody in before them. */
export class Gate {
  #sharing = 0;
  #isAlone = false;
  #lastLeft: (() => void) | undefined;
  readonly #waiting = new Set<() => void>();

  /** Rejects with the signal's reason if it aborts before it is this one's turn. */
  async share<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    while (this.#isAlone) await this.#change(signal);
    this.#sharing++;
    try {
      return await run();
    } finally {
      this.#sharing--;
      if (this.#sharing === 0) this.#lastLeft?.();
    }
  }

  async alone<T>(run: () => Promise<T>): Promise<T> {
    while (this.#isAlone) await this.#change();
    this.#isAlone = true;
    try {
      await this.#othersLeave();
      return await run();
    } finally {
      this.#isAlone = false;
      for (const wake of this.#waiting) wake();
    }
  }

  /** Until the one that was alone has left. Who gives up leaves nothing behind: that may be long, and many may come. */
  async #change(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      resolve();
    };
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
    await promise;
    signal?.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
    signal?.throwIfAborted();
  }

  async #othersLeave(): Promise<void> {
    if (this.#sharing === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastLeft = resolve;
    await promise;
    this.#lastLeft = undefined;
  }
}
