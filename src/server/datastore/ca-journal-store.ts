import type { Selectable } from 'kysely';
import type { CaJournalRow, CaJournalStore } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import type { Schema } from './schema.ts';
import { recordNotFound } from './sqlite-fault.ts';

export function createCaJournalStore(deps: StoreDeps): CaJournalStore {
  const { db } = deps;
  const select = () =>
    db.selectFrom('ca_journals').select(['id', 'data', 'active_x509_authority_id']).orderBy('id');

  return {
    all: async () => (await select().execute()).map(fromRow),

    async findByActiveX509Authority(authorityId) {
      const row = await select()
        .where('active_x509_authority_id', '=', authorityId)
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async save({ id, data, activeX509AuthorityId }) {
      const columns = { data, active_x509_authority_id: activeX509AuthorityId };
      if (id === 0) {
        const inserted = await db
          .insertInto('ca_journals')
          .values({ ...stamps(deps), ...columns, active_jwt_authority_id: '' })
          .returning('id')
          .executeTakeFirstOrThrow();
        return inserted.id;
      }
      const { numUpdatedRows } = await db
        .updateTable('ca_journals')
        .set({ ...columns, updated_at: stamps(deps).updated_at })
        .where('id', '=', id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw recordNotFound();
      return id;
    },

    async delete(id) {
      await db.deleteFrom('ca_journals').where('id', '=', id).execute();
    },
  };
}

type JournalRow = Pick<
  Selectable<Schema['ca_journals']>,
  'id' | 'data' | 'active_x509_authority_id'
>;

const fromRow = ({ id, data, active_x509_authority_id }: JournalRow): CaJournalRow => ({
  id,
  data: data ?? new Uint8Array(),
  activeX509AuthorityId: active_x509_authority_id ?? '',
});
