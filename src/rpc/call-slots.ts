/**
 * How many unary calls of one connection are worked on, or answered and not read yet. Those beyond wait, which costs
 * little more than their requests: so a client that never reads cannot have us make all its answers.
 */
export const MAX_CALLS_AT_ONCE = 64;

/** The place of one call. */
export type Slot = {
  /** Resolves when it is there; undefined if it is there at once. */
  readonly ready: Promise<void> | undefined;
  /** When its answer is on its way, or the call is over; more than once is as good. */
  release(): void;
};

/** The places of one connection, given in the order of asking. */
export class CallSlots {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count = MAX_CALLS_AT_ONCE) {
    this.#free = count;
  }

  take(): Slot {
    if (this.#free > 0) {
      this.#free -= 1;
      return { ready: undefined, release: once(() => this.#give()) };
    }
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const release = once(() => {
      if (!this.#waiting.delete(resolve)) this.#give();
      resolve();
    });
    return { ready, release };
  }

  #give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
