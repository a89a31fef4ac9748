import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';

/**
 * No user may hold more connections to the public socket: each costs memory and two descriptors, and whoever can run
 * a program can open as many as it likes. Well above what a node's workloads need: each holds one or two.
 */
export const MAX_CONNECTIONS_PER_USER = 1024;

/** A user who is turned away again and again is told of so often, not each time. */
const TELL_AGAIN_MILLISECONDS = 60_000;

type User = { held: number; refused: number; toldAt: number };

/** Counts what each user holds. */
export class ConnectionLimit {
  readonly #max: number;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Log;
  /** Those who hold something. */
  readonly #users = new Map<number, User>();

  constructor(max: number, clock: Pick<Clock, 'now'>, log: Log) {
    this.#max = max;
    this.#clock = clock;
    this.#log = log;
  }

  /** False if the user has as many as are allowed; otherwise one more is counted, until `release`. */
  acquire(uid: number): boolean {
    const user = this.#users.get(uid) ?? { held: 0, refused: 0, toldAt: -Infinity };
    if (user.held >= this.#max) {
      user.refused++;
      this.#tell(uid, user);
      return false;
    }
    user.held++;
    this.#users.set(uid, user);
    return true;
  }

  release(uid: number): void {
    const user = this.#users.get(uid);
    if (user === undefined) return;
    user.held--;
    if (user.held === 0) this.#users.delete(uid);
  }

  #tell(uid: number, user: User): void {
    if (this.#clock.now() - user.toldAt < TELL_AGAIN_MILLISECONDS) return;
    this.#log.warn('Too many connections of one user; closing the newest', {
      uid,
      held: user.held,
      refused: user.refused,
    });
    user.toldAt = this.#clock.now();
  }
}
