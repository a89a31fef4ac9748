import { type Compilable, sql } from 'kysely';
import { Fault } from '../../base/fault.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { type Selector, selectorText } from '../../spiffe/selector.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { storedAttributesToBytes } from '../../wire/stored-attributes.ts';
import { batch } from './batch.ts';
import { checkEntryUpdate, checkNewEntry } from './check-entry.ts';
import type { EntryField, EntryStore, NewEntry, Row, Skipped } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import { EntryReader, type EntryRow, readParts, selectEntries } from './entry-rows.ts';
import { addEntryEvents, chunks } from './events.ts';
import type { Database } from './schema.ts';
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
        const [candidates, bundles] = await batch(tx, [
          similarityCandidates(tx, entry),
          findBundles(tx, entry.federatesWith),
        ]);
        const similar = findSimilar(candidates, entry);
        if (similar !== undefined) {
          return { row: await readOne(tx, deps, similar), created: false };
        }
        const row = {
          ...stamps(deps),
          ...allColumnsOf(entry),
          entry_id: entry.id,
          revision_number: 0,
        };
        const { id } = await tx
          .insertInto('registered_entries')
          .values(row)
          .returning('id')
          .executeTakeFirstOrThrow();
        const linked = linkedBundles(bundles, entry.federatesWith);
        await batch(tx, [
          ...addSelectors(tx, deps, id, entry.selectors),
          ...addDnsNames(tx, deps, id, entry.dnsNames),
          ...addLinks(tx, id, linked),
          ...addEntryEvents(tx, deps, [entry.id]),
        ]);
        // As a later start will read it.
        const federatesWith = linked.map(({ trust_domain }) => trust_domain);
        const parts = { ...entry, federatesWith };
        return { row: new EntryReader(dialect).read({ ...row, id }, parts), created: true };
      });
    },

    async update(entry, fields) {
      checkEntryUpdate(entry, fields);
      return await db.transaction().execute(async (tx) => {
        const [[stored], bundles] = await batch(tx, [
          findRow(tx, entry.id),
          findBundles(tx, fields.has('federatesWith') ? entry.federatesWith : []),
        ]);
        if (stored === undefined) throw recordNotFound();
        const federatesWith = fields.has('federatesWith') ? entry.federatesWith : [];
        const linked = linkedBundles(bundles, federatesWith);
        await batch(tx, [
          tx
            .updateTable('registered_entries')
            .set({
              ...columnsOf(entry, fields),
              updated_at: stamps(deps).updated_at,
              revision_number: sql<number>`coalesce(revision_number, 0) + 1`,
            })
            .where('id', '=', stored.id),
          ...replaceParts(tx, deps, { rowId: stored.id, entry, fields, linked }),
          ...addEntryEvents(tx, deps, [entry.id]),
        ]);
        return await readOne(tx, deps, stored.id);
      });
    },

    async delete(entryId) {
      await db.transaction().execute(async (tx) => {
        const stored = await findRow(tx, entryId).executeTakeFirst();
        if (stored === undefined) throw recordNotFound();
        await batch(tx, [...deleteRows(tx, [stored.id]), ...addEntryEvents(tx, deps, [entryId])]);
      });
    },

    async pruneExpired(beforeUnixSeconds) {
      return await db.transaction().execute(async (tx) => {
        const expired = await selectEntries(tx)
          .where('expiry', '!=', 0)
          .where('expiry', '<', beforeUnixSeconds)
          .execute();
        const parts = await readParts(tx, expired);
        await batch(tx, [
          ...deleteRows(
            tx,
            expired.map(({ id }) => id),
          ),
          ...addEntryEvents(
            tx,
            deps,
            expired.map(({ entry_id }) => entry_id ?? ''),
          ),
        ]);
        return new EntryReader(dialect).readAll(expired, parts, () => {}).map(({ value }) => value);
      });
    },
  };
}

/** Removes entries with all that belongs to them. */
export const deleteRows = (tx: Database, rowIds: readonly number[]) =>
  chunks(rowIds).flatMap((ids) => [
    tx.deleteFrom('federated_registration_entries').where('registered_entry_id', 'in', ids),
    tx.deleteFrom('selectors').where('registered_entry_id', 'in', ids),
    tx.deleteFrom('dns_names').where('registered_entry_id', 'in', ids),
    tx.deleteFrom('registered_entries').where('id', 'in', ids),
  ]);

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
  const row = await selectEntries(tx).where('id', '=', id).executeTakeFirstOrThrow();
  return new EntryReader(dialect).read(row, (await readParts(tx, [row])).get(id));
}

const findRow = (tx: Database, entryId: string) =>
  tx.selectFrom('registered_entries').select('id').where('entry_id', '=', entryId);

/**
 * The selectors of entries with the same IDs. Looked for by SPIFFE ID: many more entries may share a parent than an
 * ID, and a database that takes the parent's index instead would read them all.
 */
const similarityCandidates = (tx: Database, { spiffeId, parentId }: NewEntry) =>
  tx
    .selectFrom('registered_entries as e')
    .innerJoin('selectors as s', 's.registered_entry_id', 'e.id')
    .select(['e.id', 's.type', 's.value'])
    .where('e.spiffe_id', '=', spiffeId.toString())
    .where((eb) => eb.fn.coalesce('e.parent_id', sql.lit('')), '=', parentId.toString())
    .orderBy('e.id');

type Candidate = {
  readonly id: number;
  readonly type: string | null;
  readonly value: string | null;
};

/** The row number of the entry with exactly the same selectors. */
function findSimilar(
  candidates: readonly Candidate[],
  { selectors }: NewEntry,
): number | undefined {
  const wanted = new Set(selectors.map(selectorText));
  const [similar] = Map.groupBy(candidates, ({ id }) => id)
    .entries()
    .filter(
      ([, stored]) =>
        stored.length === wanted.size &&
        stored.every(({ type, value }) => wanted.has(`${type}:${value}`)),
    )
    .map(([id]) => id);
  return similar;
}

type StoredBundle = { readonly id: number; readonly trust_domain: string };

const findBundles = (tx: Database, trustDomains: readonly TrustDomain[]) =>
  tx
    .selectFrom('bundles')
    .select(['id', 'trust_domain'])
    .where('trust_domain', 'in', ['', ...trustDomains.map(({ idString }) => idString)]) // never empty
    .orderBy('id');

/** The bundles of those trust domains, each once, in row order. Throws 'unknown' where one is not stored. */
function linkedBundles(
  bundles: readonly StoredBundle[],
  trustDomains: readonly TrustDomain[],
): readonly StoredBundle[] {
  const stored = new Set(bundles.map(({ trust_domain }) => trust_domain));
  const missing = trustDomains.find(({ idString }) => !stored.has(idString));
  if (missing === undefined) return bundles;
  throw new Fault('unknown', `unable to find federated bundle "${missing.idString}"`);
}

/** What callers decide of an entry's own row. */
type Columns = Omit<
  EntryRow,
  'id' | 'created_at' | 'updated_at' | 'entry_id' | 'revision_number' | 'expiry' | Flags
> &
  Record<Flags, boolean> & { readonly expiry: number };
type Flags = 'admin' | 'downstream' | 'store_svid';

/** What each field is in the entry's own row; lists have tables of their own. */
const columns: Readonly<Record<EntryField, (entry: NewEntry) => Partial<Columns>>> = {
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

const columnsOf = (entry: NewEntry, fields: Iterable<EntryField>): Partial<Columns> =>
  Object.assign({}, ...[...fields].map((field) => columns[field](entry)));

const ALL_FIELDS = Object.keys(columns) as EntryField[];

/** Every column has its field. */
const allColumnsOf = (entry: NewEntry): Columns => columnsOf(entry, ALL_FIELDS) as Columns;

type Replacement = {
  readonly rowId: number;
  readonly entry: NewEntry;
  readonly fields: ReadonlySet<EntryField>;
  readonly linked: readonly StoredBundle[];
};

function replaceParts(
  tx: Database,
  deps: EntryStoreDeps,
  { rowId, entry, fields, linked }: Replacement,
): Compilable[] {
  const drop = (table: 'selectors' | 'dns_names' | 'federated_registration_entries') =>
    tx.deleteFrom(table).where('registered_entry_id', '=', rowId);
  return [
    ...(fields.has('selectors')
      ? [drop('selectors'), ...addSelectors(tx, deps, rowId, entry.selectors)]
      : []),
    ...(fields.has('dnsNames')
      ? [drop('dns_names'), ...addDnsNames(tx, deps, rowId, entry.dnsNames)]
      : []),
    ...(fields.has('federatesWith')
      ? [drop('federated_registration_entries'), ...addLinks(tx, rowId, linked)]
      : []),
  ];
}

function addSelectors(
  tx: Database,
  deps: EntryStoreDeps,
  rowId: number,
  selectors: readonly Selector[],
) {
  const now = stamps(deps);
  return chunks(selectors).map((some) =>
    tx
      .insertInto('selectors')
      .values(some.map(({ type, value }) => ({ ...now, registered_entry_id: rowId, type, value }))),
  );
}

function addDnsNames(
  tx: Database,
  deps: EntryStoreDeps,
  rowId: number,
  dnsNames: readonly string[],
) {
  const now = stamps(deps);
  return chunks(dnsNames).map((some) =>
    tx
      .insertInto('dns_names')
      .values(some.map((value) => ({ ...now, registered_entry_id: rowId, value }))),
  );
}

const addLinks = (tx: Database, rowId: number, linked: readonly StoredBundle[]) =>
  chunks(linked).map((some) =>
    tx
      .insertInto('federated_registration_entries')
      .values(some.map(({ id }) => ({ bundle_id: id, registered_entry_id: rowId }))),
  );
