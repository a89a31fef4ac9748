import { reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
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
  /** A round in which nothing may fail: the first one, at start. */
  rotateOrThrow(): Promise<void>;
  /** One round of the loop. Failures are logged and counted. */
  rotate(): Promise<void>;
  /** Why it is not healthy, or undefined. */
  problem(): string | undefined;
};

export function createRotator({ x509, keys, log }: RotatorDeps): Rotator {
  let failures = 0;

  const attempt = async (name: string, slots: Rotated): Promise<boolean> => {
    try {
      await slots.rotate();
      return true;
    } catch (error) {
      failures++;
      log.error(`Unable to rotate ${name}`, { error: reasonOf(error) });
      return false;
    }
  };

  return {
    async rotateOrThrow() {
      await x509.rotate();
      for (const { slots } of keys) await slots.rotate();
    },

    async rotate() {
      const rotated = await attempt('X509 CA', x509);
      if (!rotated && x509.active === undefined) return;
      for (const { name, slots } of keys) await attempt(name, slots);
    },

    problem: () =>
      failures > MAX_FAILURES ? 'rotations exceed the threshold number of failures' : undefined,
  };
}
