/** Requests that are written one by one while the answers decide what comes next. Never ends by itself. */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  send(message: T): void {
    this.#waiting.push(message);
    this.#wake?.();
  }

  /** What was sent goes out; then the stream is half-closed. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      yield* this.#waiting.splice(0);
      if (this.#isClosed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      if (this.#waiting.length === 0) await promise;
      this.#wake = undefined;
    }
  }
}
