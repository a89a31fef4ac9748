import type { Selectable } from 'kysely';
import { Fault, reasonOf } from '../../base/fault.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { storedBundleFromBytes, storedBundleToBytes } from '../../wire/stored-bundle.ts';
import { batch } from './batch.ts';
import type { BundleStore, Row } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import { deleteRows } from './entry-store.ts';
import type { Database, Schema } from './schema.ts';
import { recordNotFound } from './sqlite-fault.ts';

export function createBundleStore(deps: StoreDeps): BundleStore {
  const { db } = deps;

  return {
    async all(skipped) {
      const rows = await selectBundles(db).orderBy('id').execute();
      return rows.flatMap((row) => {
        try {
          return [bundleFromRow(row)];
        } catch (error) {
          const reason = reasonOf(error);
          skipped({ kind: 'bundle', id: row.trust_domain, rowId: row.id, reason });
          return [];
        }
      });
    },

    async get(trustDomain) {
      const row = await find(db, trustDomain);
      return row && bundleFromRow(row);
    },

    create: (bundle) => insert(db, deps, bundle),

    async set(bundle) {
      return await db.transaction().execute((tx) => setBundle(tx, deps, bundle));
    },

    async modify(trustDomain, change) {
      return await db.transaction().execute(async (tx) => {
        const row = await find(tx, trustDomain);
        const stored = row && bundleFromRow(row);
        const changed = change(stored?.value);
        if (changed === undefined) return stored;
        return stored
          ? await replace(tx, deps, stored.rowId, changed)
          : await insert(tx, deps, changed);
      });
    },

    async delete(trustDomain, mode) {
      return await db.transaction().execute(async (tx) => {
        const bundle = await find(tx, trustDomain);
        if (bundle === undefined) throw recordNotFound();
        const linked = await findLinked(tx, bundle.id);
        const entryIds = linked.map(({ entry_id }) => entry_id ?? '');
        if (mode === 'restrict' && linked.length > 0) {
          throw new Fault(
            'failed-precondition',
            `datastore-sql: cannot delete bundle; federated with ${linked.length} registration entries`,
          );
        }
        const lost = mode === 'delete' ? linked.map(({ id }) => id) : [];
        await batch(tx, [
          ...deleteRows(tx, lost),
          tx.deleteFrom('federated_registration_entries').where('bundle_id', '=', bundle.id),
          tx.deleteFrom('bundles').where('id', '=', bundle.id),
        ]);
        return {
          entriesDeleted: mode === 'delete' ? entryIds : [],
          entriesDissociated: mode === 'dissociate' ? entryIds : [],
        };
      });
    },
  };
}

/** Creates or replaces, within a transaction. */
export async function setBundle(
  tx: Database,
  deps: StoreDeps,
  bundle: Bundle,
): Promise<Row<Bundle>> {
  const stored = await find(tx, bundle.trustDomain);
  return stored ? await replace(tx, deps, stored.id, bundle) : await insert(tx, deps, bundle);
}

type BundleRow = Pick<Selectable<Schema['bundles']>, 'id' | 'trust_domain' | 'data'>;

const selectBundles = (db: Database) =>
  db.selectFrom('bundles').select(['id', 'trust_domain', 'data']);

const find = (db: Database, { idString }: TrustDomain) =>
  selectBundles(db).where('trust_domain', '=', idString).executeTakeFirst();

/** The row's name is what it is looked up by, so that is its name. Throws 'invalid'. */
function bundleFromRow({ id, trust_domain, data }: BundleRow): Row<Bundle> {
  const trustDomain = TrustDomain.parse(trust_domain);
  return { rowId: id, value: { ...storedBundleFromBytes(data ?? new Uint8Array()), trustDomain } };
}

async function insert(db: Database, deps: StoreDeps, bundle: Bundle): Promise<Row<Bundle>> {
  const { id } = await db
    .insertInto('bundles')
    .values({
      ...stamps(deps),
      trust_domain: bundle.trustDomain.idString,
      data: storedBundleToBytes(bundle),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { rowId: id, value: bundle };
}

async function replace(
  tx: Database,
  deps: StoreDeps,
  rowId: number,
  bundle: Bundle,
): Promise<Row<Bundle>> {
  await tx
    .updateTable('bundles')
    .set({ updated_at: stamps(deps).updated_at, data: storedBundleToBytes(bundle) })
    .where('id', '=', rowId)
    .execute();
  return { rowId, value: bundle };
}

/** The entries that federate with it; links whose entry is gone do not count. */
const findLinked = (tx: Database, bundleId: number) =>
  tx
    .selectFrom('federated_registration_entries')
    .innerJoin('registered_entries', 'registered_entries.id', 'registered_entry_id')
    .select(['registered_entries.id', 'entry_id'])
    .where('bundle_id', '=', bundleId)
    .orderBy('registered_entries.id')
    .execute();
