type Offer<T> = { readonly item: T; readonly answer: (taken: boolean) => void };

/**
 * Where several givers meet one taker: whoever gives waits until its item is taken, so nothing piles up, however fast
 * the givers and slow the taker.
 */
export class Rendezvous<T> {
  readonly #offers: Offer<T>[] = [];
  #wake: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closed = false;

  /** Resolves with whether the item was taken; false once nobody takes any more. */
  give(item: T): Promise<boolean> {
    if (this.#closed || this.#failure !== undefined) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#offers.push({ item, answer: resolve });
    this.#wake?.();
    return promise;
  }

  /** The oldest offer; rejects with what a giver failed with. One taker at a time. */
  async take(): Promise<T> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const offer = this.#offers.shift();
      if (offer !== undefined) {
        offer.answer(true);
        return offer.item;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
  }

  /** A giver that can give no more says why. What was offered and not taken is dropped. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  /** The taker has left. */
  close(): void {
    this.#closed = true;
    for (const { answer } of this.#offers.splice(0)) answer(false);
    this.#wake?.();
  }
}
