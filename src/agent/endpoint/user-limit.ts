import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';

/** A user who is turned away again and again is told of so often, not each time. */
const TELL_AGAIN_MILLISECONDS = 60_000;

type User = { held: number; refused: number; toldAt: number };

export type UserLimitOptions = {
  readonly max: number;
  /** What is logged where a user wants more. */
  readonly complaint: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

/** Counts what each user holds. */
export class UserLimit {
  readonly #options: UserLimitOptions;
  /** Those who hold something. */
  readonly #users = new Map<number, User>();

  constructor(options: UserLimitOptions) {
    this.#options = options;
  }

  /** False if that is more than the user may have; otherwise it is counted, until `release`. */
  acquire(uid: number, amount = 1): boolean {
    const user = this.#users.get(uid) ?? { held: 0, refused: 0, toldAt: -Infinity };
    if (user.held + amount > this.#options.max) {
      user.refused++;
      this.#tell(uid, user);
      return false;
    }
    user.held += amount;
    this.#users.set(uid, user);
    return true;
  }

  release(uid: number, amount = 1): void {
    const user = this.#users.get(uid);
    if (user === undefined) return;
    user.held -= amount;
    if (user.held <= 0) this.#users.delete(uid);
  }

  #tell(uid: number, user: User): void {
    const { complaint, clock, log } = this.#options;
    if (clock.now() - user.toldAt < TELL_AGAIN_MILLISECONDS) return;
    log.warn(complaint, { uid, held: user.held, refused: user.refused });
    user.toldAt = clock.now();
  }
}
