/** One synchronisation, for those who wait for it. */
export class Round {
  readonly #end: () => void;
  /** Resolves when it has ended, well or not. */
  readonly ended: Promise<void>;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  end(): void {
    this.#end();
  }
}
