import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { reasonOf } from '../../base/fault.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { Selector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { prefixed } from '../../wire/prefixed.ts';
import { storedAttributesFromBytes } from '../../wire/stored-attributes.ts';
import { batch } from './batch.ts';
import type { Row, Skipped } from './contract.ts';
import type { Dialect } from './dialect.ts';
import type { Database, Schema } from './schema.ts';

export type EntryRow = Selectable<Schema['registered_entries']>;

const entryColumns = [
  'id',
  'created_at',
  'updated_at',
  'entry_id',
  'spiffe_id',
  'parent_id',
  'ttl',
  'admin',
  'downstream',
  'expiry',
  'revision_number',
  'store_svid',
  'hint',
  'jwt_svid_ttl',
  'additional_attributes',
] as const satisfies (keyof EntryRow)[];

export const selectEntries = (db: Database) =>
  db.selectFrom('registered_entries').select(entryColumns).orderBy('id');

/** What an entry has many of, in the order in which it was given. */
export type EntryParts = {
  readonly selectors: readonly Selector[];
  readonly dnsNames: readonly string[];
  /** `spiffe://<trust domain>`. */
  readonly federatesWith: readonly string[];
};

/** The parts of those entries, by row number. */
export async function readParts(
  tx: Database,
  rows: readonly Pick<EntryRow, 'id'>[],
): Promise<ReadonlyMap<number, EntryParts>> {
  if (rows.length === 0) return new Map();
  const ofThese = among(rows);
  const [selectors, dnsNames, links] = await batch(tx, [
    tx
      .selectFrom('selectors')
      .select(['registered_entry_id', 'type', 'value'])
      .where(ofThese)
      .orderBy('id'),
    tx
      .selectFrom('dns_names')
      .select(['registered_entry_id', 'value'])
      .where(ofThese)
      .orderBy('id'),
    tx
      .selectFrom('federated_registration_entries')
      .innerJoin('bundles', 'bundles.id', 'bundle_id')
      .select(['registered_entry_id', 'trust_domain'])
      .where(ofThese)
      .orderBy('bundle_id'),
  ]);
  const parts = new Map(rows.map(({ id }) => [id, emptyParts()]));
  for (const { registered_entry_id, type, value } of selectors) {
    parts.get(registered_entry_id ?? 0)?.selectors.push({ type: type ?? '', value: value ?? '' });
  }
  for (const { registered_entry_id, value } of dnsNames) {
    parts.get(registered_entry_id ?? 0)?.dnsNames.push(value ?? '');
  }
  for (const { registered_entry_id, trust_domain } of links) {
    parts.get(registered_entry_id)?.federatesWith.push(trust_domain);
  }
  return parts;
}

/** Many rows are a page, of neighbours; few may lie far apart. */
const MAX_LISTED = 100;

function among(rows: readonly Pick<EntryRow, 'id'>[]): Expression<SqlBool> {
  const ids = rows.map(({ id }) => id);
  return ids.length <= MAX_LISTED
    ? sql<SqlBool>`registered_entry_id in (${sql.join(ids)})`
    : sql<SqlBool>`registered_entry_id between ${ids[0]} and ${ids.at(-1)}`;
}

const emptyParts = () => ({
  selectors: [] as Selector[],
  dnsNames: [] as string[],
  federatesWith: [] as string[],
});

/** Turns rows into entries. One reader for many rows: values that many of them share become one object. */
export class EntryReader {
  readonly #dialect: Dialect;
  readonly #ids = new Map<string, SpiffeId>();
  readonly #trustDomains = new Map<string, TrustDomain>();
  readonly #selectors = new Map<string, Selector>();
  readonly #hints = new Map<string, string>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Throws 'internal' with SPIRE's words for a row that makes no entry (`reference/server.md` §14.2). */
  read(row: EntryRow, parts: EntryParts = emptyParts()): Row<Entry> {
    const value: Entry = {
      id: row.entry_id ?? '',
      spiffeId: prefixed('invalid SPIFFE ID', () => SpiffeId.parse(row.spiffe_id ?? '')),
      parentId: prefixed('invalid parent ID', () =>
        shared(this.#ids, row.parent_id ?? '', (id) => SpiffeId.parse(id)),
      ),
      selectors: parts.selectors.map((selector) =>
        shared(this.#selectors, `${selector.type}:${selector.value}`, () => selector),
      ),
      x509SvidTtlSeconds: row.ttl ?? 0,
      jwtSvidTtlSeconds: row.jwt_svid_ttl ?? 0,
      federatesWith: prefixed('invalid federated trust domain', () =>
        parts.federatesWith.map((id) =>
          shared(this.#trustDomains, id, () => TrustDomain.parse(id)),
        ),
      ),
      admin: Boolean(row.admin),
      downstream: Boolean(row.downstream),
      expiresAt: safeInteger(row.expiry),
      dnsNames: [...parts.dnsNames],
      revisionNumber: safeInteger(row.revision_number),
      storeSvid: Boolean(row.store_svid),
      hint: shared(this.#hints, row.hint ?? '', (hint) => hint),
      createdAt: Math.round(row.created_at === null ? 0 : this.#dialect.readTime(row.created_at)),
      additionalAttributes: storedAttributesFromBytes(row.additional_attributes ?? undefined),
    };
    return { rowId: row.id, value };
  }

  /** Those rows that make entries. */
  readAll(
    rows: readonly EntryRow[],
    parts: ReadonlyMap<number, EntryParts>,
    skipped: Skipped,
  ): Row<Entry>[] {
    return rows.flatMap((row) => {
      try {
        return [this.read(row, parts.get(row.id))];
      } catch (error) {
        skipped({
          kind: 'entry',
          id: row.entry_id ?? '',
          rowId: row.id,
          reason: reasonOf(error),
        });
        return [];
      }
    });
  }
}

function shared<T>(known: Map<string, T>, text: string, make: (text: string) => T): T {
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = make(text);
  known.set(text, made);
  return made;
}

/** Beyond what a number holds exactly lies no moment and no revision that anybody means: the nearest one stands for it. */
function safeInteger(stored: number | bigint | null): number {
  if (typeof stored !== 'bigint') return stored ?? 0;
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(stored > limit ? limit : stored < -limit ? -limit : stored);
}
