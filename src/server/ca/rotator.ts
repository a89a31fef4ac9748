import { Fault, reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { rpcErrorText } from '../../rpc/status.ts';
import type { Authority } from './authority.ts';
import type { AuthoritySlots } from './slots.ts';

/** More failures than this, over the life of the process, and the health check fails (`reference/server.md` §6.1). */
const MAX_FAILURES = 10;

type Rotated = Pick<AuthoritySlots<Authority>, 'rotate' | 'active'>;

export type RotatorDeps = {
  /** In this order. Kinds that the configuration switches off are left out. */
  readonly x509: Rotated;
  readonly keys: readonly { readonly name: 'JWT key' | 'WIT key'; readonly slots: Rotated }[];
  readonly log: Log;
};

export type Rotator = {
  /** The first round, at start, after which everything can sign; throws what keeps it from that. */
  rotateOrThrow(): Promise<void>;
  /** One round of the loop. Failures are logged and counted. */
  rotate(): Promise<void>;
  /** Why it is not healthy, or undefined. */
  problem(): string | undefined;
};

export function createRotator({ x509, keys, log }: RotatorDeps): Rotator {
  let failures = 0;

  /** Resolves with what went wrong, worded as the status that it is in SPIRE; undefined if nothing did. */
  const failureOf = async (name: string, slots: Rotated): Promise<unknown> => {
    try {
      await slots.rotate();
      return undefined;
    } catch (error) {
      failures++;
      const failure = asStatus(error);
      log.error(`Unable to rotate ${name}`, { error: reasonOf(failure) });
      return failure;
    }
  };

  return {
    async rotateOrThrow() {
      for (const { name, slots } of [{ name: 'X509 CA', slots: x509 }, ...keys]) {
        const failure = await failureOf(name, slots);
        if (slots.active === undefined) throw failure;
      }
    },

    async rotate() {
      await failureOf('X509 CA', x509);
      if (x509.active === undefined) return;
      for (const { name, slots } of keys) await failureOf(name, slots);
    },

    problem: () =>
      failures > MAX_FAILURES ? 'rotations exceed the threshold number of failures' : undefined,
  };
}

const asStatus = (error: unknown): unknown =>
  error instanceof Fault && error.kind !== 'canceled'
    ? new Fault(error.kind, rpcErrorText(error), { cause: error })
    : error;
