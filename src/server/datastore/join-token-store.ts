import type { JoinTokenStore } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';

export function createJoinTokenStore(deps: StoreDeps): JoinTokenStore {
  const { db } = deps;
  return {
    async create({ token, expiresAt }) {
      await db
        .insertInto('join_tokens')
        .values({ ...stamps(deps), token, expiry: expiresAt })
        .execute();
    },

    /** One statement, so of several callers at once one gets the row. */
    async spend(token) {
      const row = await db
        .deleteFrom('join_tokens')
        .where('token', '=', token)
        .returning('expiry')
        .executeTakeFirst();
      return row && { token, expiresAt: Number(row.expiry ?? 0) };
    },
  };
}
