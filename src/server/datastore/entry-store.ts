import { sql, type Updateable } from 'kysely';
import { Fault } from '../../base/fault.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { type Selector, selectorText } from '../../spiffe/selector.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { storedAttributesToBytes } from '../../wire/stored-attributes.ts';
import { checkEntryUpdate, checkNewEntry } from './check-entry.ts';
import type { EntryField, EntryStore, NewEntry, Row, Skipped } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import { EntryReader, readParts, selectEntries } from './entry-rows.ts';
import { addEntryEvents, chunks } from './events.ts';
import type { Database, Schema } from './schema.ts';
import { recordNotFound } from './sqlite-fault.ts';

/** How many entries are read at a time, so that neither thread is busy for long. */
const PAGE_ROWS = 2_000;

export type EntryStoreDeps = StoreDeps & {
  /** A new UUID. */
  readonly newId: () => string;
};

export function createEntryStore(deps: EntryStoreDeps): EntryStore {
  const { db, dialect, newId } = deps;

  return {
    all(skipped) {
      return db
        .transaction()
        .setAccessMode('read only') // one snapshot for all pages
        .execute((tx) => readAll(tx, new EntryReader(dialect), skipped));
    },

    byIds(entryIds, skipped) {
      return db
        .transaction()
        .setAccessMode('read only')
        .execute(async (tx) => {
          const found = [];
          for (const ids of chunks(entryIds)) {
            found.push(...(await selectEntries(tx).where('entry_id', 'in', ids).execute()));
          }
          found.sort((a, b) => a.id - b.id);
          return new EntryReader(dialect).readAll(found, await readParts(tx, found), skipped);
        });
    },

    async create(given) {
      const entry = { ...given, id: given.id || newId() };
      checkNewEntry(entry);
      return await db.transaction().execute(async (tx) => {
        const [similar, bundles] = await Promise.all([
          findSimilar(tx, entry),
          findBundles(tx, entry.federatesWith),
        ]);
        if (similar !== undefined) {
          return { row: await readOne(tx, deps, similar), created: false };
        }
        const { id } = await tx
          .insertInto('registered_entries')
          .values({
            ...stamps(deps),
            ...columnsOf(entry, ALL_FIELDS),
            entry_id: entry.id,
            revision_number: 0,
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        const bundleIds = linkedBundles(bundles, entry.federatesWith);
        // Issued in one turn, so they run in this order: the entry is read as a later start will find it.
        const writes = [
          ...addSelectors(tx, deps, id, entry.selectors),
          ...addDnsNames(tx, deps, id, entry.dnsNames),
          ...addLinks(tx, id, bundleIds),
          addEntryEvents(tx, deps, [entry.id]),
        ];
        const [row] = await Promise.all([readOne(tx, deps, id), ...writes]);
        return { row, created: true };
      });
    },

    async update(entry, fields) {
      checkEntryUpdate(entry, fields);
      return await db.transaction().execute(async (tx) => {
        const [stored, bundles] = await Promise.all([
          findRow(tx, entry.id),
          findBundles(tx, fields.has('federatesWith') ? entry.federatesWith : []),
        ]);
        if (stored === undefined) throw recordNotFound();
        const federatesWith = fields.has('federatesWith') ? entry.federatesWith : [];
        const bundleIds = linkedBundles(bundles, federatesWith);
        const writes = [
          tx
            .updateTable('registered_entries')
            .set({
              ...columnsOf(entry, fields),
              updated_at: stamps(deps).updated_at,
              revision_number: sql<number>`coalesce(revision_number, 0) + 1`,
            })
            .where('id', '=', stored.id)
            .execute(),
          ...replaceParts(tx, deps, { rowId: stored.id, entry, fields, bundleIds }),
          addEntryEvents(tx, deps, [entry.id]),
        ];
        const [row] = await Promise.all([readOne(tx, deps, stored.id), ...writes]);
        return row;
      });
    },

    async delete(entryId) {
      await db.transaction().execute(async (tx) => {
        const stored = await findRow(tx, entryId);
        if (stored === undefined) throw recordNotFound();
        await Promise.all([deleteRows(tx, [stored.id]), addEntryEvents(tx, deps, [entryId])]);
      });
    },

    async pruneExpired(beforeUnixSeconds) {
      return await db.transaction().execute(async (tx) => {
        const expired = await selectEntries(tx)
          .where('expiry', '!=', 0)
          .where('expiry', '<', beforeUnixSeconds)
          .execute();
        const parts = await readParts(tx, expired);
        await deleteRows(
          tx,
          expired.map(({ id }) => id),
        );
        await addEntryEvents(
          tx,
          deps,
          expired.map(({ entry_id }) => entry_id ?? ''),
        );
        return new EntryReader(dialect).readAll(expired, parts, () => {}).map(({ value }) => value);
      });
    },
  };
}

/** Removes entries with all that belongs to them. */
export async function deleteRows(tx: Database, rowIds: readonly number[]): Promise<void> {
  await Promise.all(
    chunks(rowIds).flatMap((ids) => [
      tx
        .deleteFrom('federated_registration_entries')
        .where('registered_entry_id', 'in', ids)
        .execute(),
      tx.deleteFrom('selectors').where('registered_entry_id', 'in', ids).execute(),
      tx.deleteFrom('dns_names').where('registered_entry_id', 'in', ids).execute(),
      tx.deleteFrom('registered_entries').where('id', 'in', ids).execute(),
    ]),
  );
}

async function readAll(tx: Database, reader: EntryReader, skipped: Skipped): Promise<Row<Entry>[]> {
  const all: Row<Entry>[] = [];
  for (let last = 0; ; ) {
    const page = await selectEntries(tx).where('id', '>', last).limit(PAGE_ROWS).execute();
    for (const row of reader.readAll(page, await readParts(tx, page), skipped)) all.push(row);
    const lastRow = page.at(-1);
    if (lastRow === undefined) return all;
    last = lastRow.id;
  }
}

async function readOne(tx: Database, { dialect }: EntryStoreDeps, id: number): Promise<Row<Entry>> {
  const [row, parts] = await Promise.all([
    selectEntries(tx).where('id', '=', id).executeTakeFirstOrThrow(),
    readParts(tx, [{ id }]),
  ]);
  return new EntryReader(dialect).read(row, parts.get(id));
}

const findRow = (tx: Database, entryId: string) =>
  tx
    .selectFrom('registered_entries')
    .select('id')
    .where('entry_id', '=', entryId)
    .executeTakeFirst();

/**
 * The row number of the entry with the same IDs and exactly the same selectors. Looked for by SPIFFE ID: many more
 * entries may share a parent than an ID, and a database that takes the parent's index instead would read them all.
 */
async function findSimilar(tx: Database, entry: NewEntry): Promise<number | undefined> {
  const candidates = await tx
    .selectFrom('registered_entries as e')
    .innerJoin('selectors as s', 's.registered_entry_id', 'e.id')
    .select(['e.id', 's.type', 's.value'])
    .where('e.spiffe_id', '=', entry.spiffeId.toString())
    .where((eb) => eb.fn.coalesce('e.parent_id', sql.lit('')), '=', entry.parentId.toString())
    .orderBy('e.id')
    .execute();
  const wanted = new Set(entry.selectors.map(selectorText));
  const [similar] = Map.groupBy(candidates, ({ id }) => id)
    .entries()
    .filter(
      ([, selectors]) =>
        selectors.length === wanted.size &&
        selectors.every(({ type, value }) => wanted.has(`${type}:${value}`)),
    )
    .map(([id]) => id);
  return similar;
}

type StoredBundle = { readonly id: number; readonly trust_domain: string };

async function findBundles(
  tx: Database,
  trustDomains: readonly TrustDomain[],
): Promise<readonly StoredBundle[]> {
  if (trustDomains.length === 0) return [];
  return await tx
    .selectFrom('bundles')
    .select(['id', 'trust_domain'])
    .where(
      'trust_domain',
      'in',
      trustDomains.map(({ idString }) => idString),
    )
    .execute();
}

/** The row numbers of the bundles of those trust domains, each once. Throws 'unknown' where one is not stored. */
function linkedBundles(
  bundles: readonly StoredBundle[],
  trustDomains: readonly TrustDomain[],
): number[] {
  const byName = new Map(bundles.map(({ id, trust_domain }) => [trust_domain, id]));
  const ids = trustDomains.map(({ idString }) => {
    const id = byName.get(idString);
    if (id === undefined) {
      throw new Fault('unknown', `unable to find federated bundle "${idString}"`);
    }
    return id;
  });
  return [...new Set(ids)];
}

type Columns = Omit<
  Updateable<Schema['registered_entries']>,
  'id' | 'created_at' | 'updated_at' | 'entry_id' | 'revision_number'
>;

/** What each field is in the entry's own row; lists have tables of their own. */
const columns: Readonly<Record<EntryField, (entry: NewEntry) => Columns>> = {
  spiffeId: ({ spiffeId }) => ({ spiffe_id: spiffeId.toString() }),
  parentId: ({ parentId }) => ({ parent_id: parentId.toString() }),
  selectors: () => ({}),
  x509SvidTtlSeconds: ({ x509SvidTtlSeconds }) => ({ ttl: x509SvidTtlSeconds }),
  jwtSvidTtlSeconds: ({ jwtSvidTtlSeconds }) => ({ jwt_svid_ttl: jwtSvidTtlSeconds }),
  federatesWith: () => ({}),
  admin: ({ admin }) => ({ admin }),
  downstream: ({ downstream }) => ({ downstream }),
  expiresAt: ({ expiresAt }) => ({ expiry: expiresAt }),
  dnsNames: () => ({}),
  storeSvid: ({ storeSvid }) => ({ store_svid: storeSvid }),
  hint: ({ hint }) => ({ hint }),
  additionalAttributes: ({ additionalAttributes }) => ({
    additional_attributes: additionalAttributes
      ? storedAttributesToBytes(additionalAttributes)
      : null,
  }),
};

const ALL_FIELDS: ReadonlySet<EntryField> = new Set(Object.keys(columns) as EntryField[]);

const columnsOf = (entry: NewEntry, fields: ReadonlySet<EntryField>): Columns =>
  Object.assign({}, ...[...fields].map((field) => columns[field](entry)));

type Replacement = {
  readonly rowId: number;
  readonly entry: NewEntry;
  readonly fields: ReadonlySet<EntryField>;
  readonly bundleIds: readonly number[];
};

function replaceParts(
  tx: Database,
  deps: EntryStoreDeps,
  { rowId, entry, fields, bundleIds }: Replacement,
): Promise<unknown>[] {
  const drop = (table: 'selectors' | 'dns_names' | 'federated_registration_entries') =>
    tx.deleteFrom(table).where('registered_entry_id', '=', rowId).execute();
  const writes: Promise<unknown>[] = [];
  if (fields.has('selectors')) {
    writes.push(drop('selectors'), ...addSelectors(tx, deps, rowId, entry.selectors));
  }
  if (fields.has('dnsNames')) {
    writes.push(drop('dns_names'), ...addDnsNames(tx, deps, rowId, entry.dnsNames));
  }
  if (fields.has('federatesWith')) {
    writes.push(drop('federated_registration_entries'), ...addLinks(tx, rowId, bundleIds));
  }
  return writes;
}

/** Issue their statements at once, so that what is issued next runs after them. */
function addSelectors(
  tx: Database,
  deps: EntryStoreDeps,
  rowId: number,
  selectors: readonly Selector[],
): Promise<unknown>[] {
  const now = stamps(deps);
  return chunks(selectors).map((some) =>
    tx
      .insertInto('selectors')
      .values(some.map(({ type, value }) => ({ ...now, registered_entry_id: rowId, type, value })))
      .execute(),
  );
}

function addDnsNames(
  tx: Database,
  deps: EntryStoreDeps,
  rowId: number,
  dnsNames: readonly string[],
): Promise<unknown>[] {
  const now = stamps(deps);
  return chunks(dnsNames).map((some) =>
    tx
      .insertInto('dns_names')
      .values(some.map((value) => ({ ...now, registered_entry_id: rowId, value })))
      .execute(),
  );
}

function addLinks(tx: Database, rowId: number, bundleIds: readonly number[]): Promise<unknown>[] {
  return chunks(bundleIds).map((some) =>
    tx
      .insertInto('federated_registration_entries')
      .values(some.map((bundle_id) => ({ bundle_id, registered_entry_id: rowId })))
      .execute(),
  );
}
