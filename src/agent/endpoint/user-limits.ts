import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { CallBudget } from '../../rpc/call-budget.ts';
import { UserLimit } from './user-limit.ts';

/**
 * What one user may hold at a local socket: whoever can run a program can connect and call as often as it likes, and is
 * to take no more of our memory than we can spare.
 */
export type UserLimits = {
  readonly connections: UserLimit;
  budgetOf(peer: { readonly uid: number }): CallBudget;
};

export type UserMaxima = {
  readonly connections: number;
  readonly calls: number;
  readonly heldBytes: number;
};

/** Well above what a node's workloads need: each has one connection or two, and a few streams. */
export const WORKLOAD_MAXIMA: UserMaxima = {
  /** Each costs memory and two descriptors. */
  connections: 1024,
  /** Each costs some 30 KB. */
  calls: 4096,
  /** A dozen of the longest requests. */
  heldBytes: 48 * 1024 * 1024,
};

/** Whoever may ask there is trusted with others' identities: a delegate has a stream for each of thousands. */
export const ADMIN_MAXIMA: UserMaxima = { ...WORKLOAD_MAXIMA, calls: 100_000 };

export function userLimits(
  maxima: UserMaxima,
  deps: { readonly clock: Pick<Clock, 'now'>; readonly log: Log },
): UserLimits {
  const limit = (max: number, complaint: string) => new UserLimit({ ...deps, max, complaint });
  const connections = limit(
    maxima.connections,
    'Too many connections of one user; closing the newest',
  );
  const calls = limit(maxima.calls, 'Too many calls of one user; refusing the newest');
  const bytes = limit(maxima.heldBytes, 'Too long requests of one user; refusing the newest');
  return {
    connections,
    budgetOf: ({ uid }) => ({
      open: () => calls.acquire(uid),
      close: () => {
        calls.release(uid);
      },
      hold(change) {
        if (change > 0) return bytes.acquire(uid, change);
        bytes.release(uid, -change);
        return true;
      },
    }),
  };
}
