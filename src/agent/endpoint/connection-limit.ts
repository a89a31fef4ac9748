/**
 * No user may hold more connections to the public socket: each costs memory and two descriptors, and whoever can run
 * a program can open as many as it likes. Well above what a node's workloads need: each holds one or two.
 */
export const MAX_CONNECTIONS_PER_USER = 1024;

/** Counts what each user holds. */
export class ConnectionLimit {
  readonly #max: number;
  readonly #held = new Map<number, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** False if the user has as many as are allowed; otherwise one more is counted, until `release`. */
  acquire(uid: number): boolean {
    const held = this.#held.get(uid) ?? 0;
    if (held >= this.#max) return false;
    this.#held.set(uid, held + 1);
    return true;
  }

  release(uid: number): void {
    const held = (this.#held.get(uid) ?? 0) - 1;
    if (held > 0) this.#held.set(uid, held);
    else this.#held.delete(uid);
  }
}
