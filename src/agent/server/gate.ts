/** Lets many in at once, or one alone. Whoever waits to be alone lets nobody in before them. */
export class Gate {
  #sharing = 0;
  #alone: Promise<void> | undefined;
  #lastLeft: (() => void) | undefined;

  async share<T>(run: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    this.#sharing++;
    try {
      return await run();
    } finally {
      this.#sharing--;
      if (this.#sharing === 0) this.#lastLeft?.();
    }
  }

  async alone<T>(run: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      await this.#othersLeave();
      return await run();
    } finally {
      this.#alone = undefined;
      resolve();
    }
  }

  async #othersLeave(): Promise<void> {
    if (this.#sharing === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastLeft = resolve;
    await promise;
    this.#lastLeft = undefined;
  }
}
