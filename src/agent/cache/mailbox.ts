/** Keeps the newest of what is delivered until somebody takes it: a newer value replaces one that was not taken. */
export class Mailbox<T extends object> {
  #unread: T | undefined;
  #wake: (() => void) | undefined;

  deliver(value: T): void {
    this.#unread = value;
    this.#wake?.();
  }

  /** The next value; rejects with the signal's reason when it aborts first. One caller at a time. */
  async next(signal: AbortSignal): Promise<T> {
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
    const value = this.#unread;
    this.#unread = undefined;
    return value;
  }
}
