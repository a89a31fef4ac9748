import type { CaJournalRow, CaJournalStore } from '../../src/server/datastore/contract.ts';
import type { BundleRegistry } from '../../src/server/registry/contract.ts';
import type { Bundle } from '../../src/spiffe/bundle.ts';
import type { TrustDomain } from '../../src/spiffe/trust-domain.ts';

/** What would survive a crash, as two of the stores that a server's authorities write to. */
export class MemoryCaJournals implements CaJournalStore {
  readonly rows = new Map<number, CaJournalRow>();
  /** Called before each write; may throw, then nothing is written. */
  beforeSave: (row: CaJournalRow) => void = () => undefined;

  async all(): Promise<readonly CaJournalRow[]> {
    return [...this.rows.values()];
  }

  async findByActiveX509Authority(authorityId: string): Promise<CaJournalRow | undefined> {
    return [...this.rows.values()].find((row) => row.activeX509AuthorityId === authorityId);
  }

  async save(row: CaJournalRow): Promise<number> {
    this.beforeSave(row);
    const id = row.id === 0 ? this.rows.size + 1 : row.id;
    this.rows.set(id, { ...row, id });
    return id;
  }

  async delete(id: number): Promise<void> {
    this.rows.delete(id);
  }
}

export class MemoryBundles implements Pick<BundleRegistry, 'get' | 'modify'> {
  readonly byName = new Map<string, Bundle>();
  /** Called before each change; may throw, then nothing changes. */
  beforeModify: () => void = () => undefined;

  get(trustDomain: TrustDomain): Bundle | undefined {
    return this.byName.get(trustDomain.name);
  }

  async modify(
    trustDomain: TrustDomain,
    change: (stored: Bundle | undefined) => Bundle | undefined,
  ): Promise<Bundle | undefined> {
    this.beforeModify();
    const changed = change(this.get(trustDomain));
    if (changed) this.byName.set(trustDomain.name, changed);
    return this.get(trustDomain);
  }
}
