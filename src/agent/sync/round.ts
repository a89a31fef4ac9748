/** One synchronisation, for those who wait for it. */
export class Round {
  readonly #end: () => void;
  /** Resolves when it has ended, well or not. */
  readonly ended: Promise<void>;
  #hasBegun = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Whoever comes later may be too late for it. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  begin(): void {
    this.#hasBegun = true;
  }

  end(): void {
    this.#hasBegun = true;
    this.#end();
  }
}
