import { kindOf } from '../../base/fault.ts';
import type { Agent } from '../../spiffe/agent.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { EntryField, EntryStore, NewEntry, Row, Skipped } from '../datastore/contract.ts';
import { AuthorizedEntries } from './authorized-entries.ts';
import type { EntryFilter, EntryRegistry } from './contract.ts';
import { EntryIndex } from './entry-index.ts';

type Deps = {
  readonly store: EntryStore;
  readonly trustDomain: TrustDomain;
  readonly agent: (id: SpiffeId) => Agent | undefined;
};

export class MemoryEntries implements EntryRegistry {
  readonly #store: EntryStore;
  readonly #agent: Deps['agent'];
  readonly #index = new EntryIndex();
  readonly #authorized: AuthorizedEntries;
  readonly #listeners = new Set<() => void>();
  #revision = 0;

  constructor({ store, trustDomain, agent }: Deps) {
    this.#store = store;
    this.#agent = agent;
    this.#authorized = new AuthorizedEntries({ trustDomain, index: this.#index });
  }

  get revision(): number {
    return this.#revision;
  }

  onChange(listener: () => void): () => void {
    // A wrapper of its own, so that one function given twice is called twice and stops one by one.
    const own = () => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  get(entryId: string): Entry | undefined {
    return this.#index.get(entryId)?.value;
  }

  rows(): readonly Row<Entry>[] {
    return this.#index.rows();
  }

  select(filter: EntryFilter): readonly Row<Entry>[] {
    return this.#index.select(filter);
  }

  bySpiffeId(id: SpiffeId): readonly Entry[] {
    return this.#index.bySpiffeId.get(id.toString()).map(({ value }) => value);
  }

  authorizedFor(agent: SpiffeId): readonly Entry[] {
    return this.#authorized.of(agent, this.#agent(agent));
  }

  authorizedEntry(agent: SpiffeId, entryId: string): Entry | undefined {
    const entry = this.get(entryId);
    if (entry === undefined) return undefined;
    return this.#authorized.has(agent, this.#agent(agent), entry) ? entry : undefined;
  }

  async create(entry: NewEntry): Promise<{ readonly entry: Entry; readonly created: boolean }> {
    const { row, created } = await this.#store.create(entry);
    return { entry: this.put(row), created };
  }

  async update(entry: NewEntry, fields: ReadonlySet<EntryField>): Promise<Entry> {
    return this.put(await this.#orForget(entry.id, this.#store.update(entry, fields)));
  }

  async delete(entryId: string): Promise<void> {
    await this.#orForget(entryId, this.#store.delete(entryId));
    this.forget([entryId]);
  }

  async pruneExpired(beforeUnixSeconds: number): Promise<readonly Entry[]> {
    const pruned = await this.#store.pruneExpired(beforeUnixSeconds);
    this.forget(pruned.map(({ id }) => id));
    return pruned;
  }

  /** Reads those entries again; what is not there any more, or cannot be read, is forgotten. */
  async reread(entryIds: readonly string[], skipped: Skipped): Promise<void> {
    const rows = await this.#store.byIds(entryIds, skipped);
    const found = new Set(rows.map(({ value }) => value.id));
    this.forget(entryIds.filter((id) => !found.has(id)));
    for (const row of rows) this.put(row);
  }

  /** Takes what the datastore holds. Resolves with the value in memory, which stays as it is where nothing changed. */
  put(row: Row<Entry>): Entry {
    const known = this.#index.get(row.value.id);
    if (known !== undefined && !isNews(row, known)) return known.value;
    this.#index.put(row);
    this.#changed(known?.value, row.value);
    return row.value;
  }

  forget(entryIds: readonly string[]): void {
    for (const id of entryIds) {
      const known = this.#index.get(id);
      if (known === undefined) continue;
      this.#index.remove(id);
      this.#changed(known.value, undefined);
    }
  }

  /** The bundle of that trust domain is gone, and with it what those entries shared with it. */
  dissociate(entryIds: readonly string[], trustDomain: TrustDomain): void {
    for (const id of entryIds) {
      const known = this.#index.get(id);
      if (known === undefined) continue;
      const federatesWith = known.value.federatesWith.filter((name) => !name.equals(trustDomain));
      this.put({ rowId: known.rowId, value: { ...known.value, federatesWith } });
    }
  }

  /** Another server may have deleted it. */
  #orForget<T>(entryId: string, written: Promise<T>): Promise<T> {
    return written.catch((error: unknown) => {
      if (kindOf(error) === 'not-found') this.forget([entryId]);
      throw error;
    });
  }

  /** To be told when an agent's selectors may have changed, or it was banned or is gone. */
  agentChanged(id: SpiffeId, agent: Agent | undefined): void {
    if (agent === undefined) this.#authorized.agentRemoved(id);
    this.#grow();
  }

  #changed(before: Entry | undefined, after: Entry | undefined): void {
    this.#authorized.entryChanged(before, after);
    this.#grow();
  }

  #grow(): void {
    this.#revision += 1;
    for (const listener of this.#listeners) listener();
  }
}

/** Every update counts the revision up; only the loss of a bundle changes an entry without that. */
function isNews({ rowId, value }: Row<Entry>, known: Row<Entry>): boolean {
  if (rowId !== known.rowId) return rowId > known.rowId;
  if (value.revisionNumber !== known.value.revisionNumber) {
    return value.revisionNumber > known.value.revisionNumber;
  }
  const names = (entry: Entry) => entry.federatesWith.map(({ name }) => name).join(' ');
  return names(value) !== names(known.value);
}
