import type { Bundle } from '../../spiffe/bundle.ts';
import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type {
  RelationshipField,
  RelationshipStore,
  RelationshipWrite,
  Row,
  Skipped,
} from '../datastore/contract.ts';
import type { RelationshipRegistry } from './contract.ts';
import { RowList } from './row-list.ts';

type Deps = {
  readonly store: RelationshipStore;
  /** Told of each bundle that was stored together with a relationship. */
  readonly bundleWritten: (row: Row<Bundle>) => void;
  readonly skipped: Skipped;
};

/** Somebody who writes all the time is read again with the next look. */
const MAX_TRIES = 3;

export class MemoryRelationships implements RelationshipRegistry {
  readonly #deps: Deps;
  readonly #store: RelationshipStore;
  #rows = new RowList<FederationRelationship>();
  #byName = new Map<string, Row<FederationRelationship>>();
  /** Of malformed rows, those that were told: they are read every few seconds. */
  #told: ReadonlySet<number> = new Set();
  /** So many writes have been remembered. */
  #writes = 0;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#store = deps.store;
  }

  get({ name }: TrustDomain): FederationRelationship | undefined {
    return this.#byName.get(name)?.value;
  }

  rows(): readonly Row<FederationRelationship>[] {
    return this.#rows.snapshot();
  }

  async create(
    relationship: FederationRelationship,
    bundle?: Bundle,
  ): Promise<FederationRelationship> {
    return this.#written(await this.#store.create(relationship, bundle));
  }

  async update(
    relationship: FederationRelationship,
    fields: ReadonlySet<RelationshipField>,
    bundle?: Bundle,
  ): Promise<FederationRelationship> {
    return this.#written(await this.#store.update(relationship, fields, bundle));
  }

  async delete(trustDomain: TrustDomain): Promise<void> {
    await this.#store.delete(trustDomain);
    this.#writes++;
    const known = this.#byName.get(trustDomain.name);
    if (known === undefined) return;
    this.#byName.delete(trustDomain.name);
    this.#rows.remove(known.rowId);
  }

  async reload(): Promise<void> {
    let malformed: Parameters<Skipped>[0][] = [];
    let rows: readonly Row<FederationRelationship>[] = [];
    // What was written meanwhile may not be among the rows yet.
    for (let writes = -1, tries = 0; writes !== this.#writes && tries < MAX_TRIES; tries++) {
      writes = this.#writes;
      malformed = [];
      rows = await this.#store.all((what) => malformed.push(what));
    }
    this.#rows = RowList.of(...rows);
    this.#byName = new Map(rows.map((row) => [row.value.trustDomain.name, row]));
    for (const what of malformed) if (!this.#told.has(what.rowId)) this.#deps.skipped(what);
    this.#told = new Set(malformed.map(({ rowId }) => rowId));
  }

  #written({ row, bundle }: RelationshipWrite): FederationRelationship {
    if (bundle !== undefined) this.#deps.bundleWritten(bundle);
    this.#writes++;
    this.#rows.put(row);
    this.#byName.set(row.value.trustDomain.name, row);
    return row.value;
  }
}
