import { reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { storedBundleToBytes } from '../../wire/stored-bundle.ts';
import type {
  BundleDeleteMode,
  BundleDeletion,
  BundleOperation,
  BundleStore,
  Row,
} from '../datastore/contract.ts';
import type { BundleRegistry } from './contract.ts';
import { RowList } from './row-list.ts';

type Listener = (trustDomain: TrustDomain) => void;

type Deps = {
  readonly store: BundleStore;
  readonly log: Log;
  /** Told which entries went with a bundle, or lost it. */
  readonly entriesChanged: (trustDomain: TrustDomain, deletion: BundleDeletion) => void;
};

export class MemoryBundles implements BundleRegistry {
  readonly #deps: Deps;
  readonly #store: BundleStore;
  readonly #byName = new Map<string, Row<Bundle>>();
  readonly #rows = new RowList<Bundle>();
  readonly #listeners = new Set<Listener>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#store = deps.store;
  }

  get({ name }: TrustDomain): Bundle | undefined {
    return this.#byName.get(name)?.value;
  }

  rows(): readonly Row<Bundle>[] {
    return this.#rows.snapshot();
  }

  async create(bundle: Bundle): Promise<Bundle> {
    return this.put(await this.#store.create(bundle));
  }

  async set(bundle: Bundle): Promise<Bundle> {
    return this.put(await this.#store.set(bundle));
  }

  async modify(
    trustDomain: TrustDomain,
    change: (stored: Bundle | undefined) => Bundle | undefined,
    operation?: BundleOperation,
  ): Promise<Bundle | undefined> {
    const row = await this.#store.modify(trustDomain, change, operation);
    if (row !== undefined) return this.put(row);
    this.forget(trustDomain);
    return undefined;
  }

  async delete(trustDomain: TrustDomain, mode: BundleDeleteMode): Promise<void> {
    const deletion = await this.#store.delete(trustDomain, mode);
    this.forget(trustDomain);
    this.#deps.entriesChanged(trustDomain, deletion);
  }

  onChange(listener: Listener): () => void {
    // A wrapper of its own, so that one function given twice is called twice and stops one by one.
    const own: Listener = (trustDomain) => listener(trustDomain);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async reread(trustDomains: readonly TrustDomain[]): Promise<void> {
    for (const trustDomain of trustDomains) {
      const row = await this.#store.get(trustDomain);
      if (row === undefined) this.forget(trustDomain);
      else this.put(row);
    }
  }

  /** Takes what the datastore holds. Resolves with the value in memory, which stays as it is where nothing changed. */
  put(row: Row<Bundle>): Bundle {
    const { name } = row.value.trustDomain;
    const known = this.#byName.get(name);
    if (known !== undefined && isSame(known, row)) return known.value;
    if (known !== undefined) this.#rows.remove(known.rowId);
    this.#byName.set(name, row);
    this.#rows.put(row);
    this.#tell(row.value.trustDomain);
    return row.value;
  }

  forget(trustDomain: TrustDomain): void {
    const known = this.#byName.get(trustDomain.name);
    if (known === undefined) return;
    this.#byName.delete(trustDomain.name);
    this.#rows.remove(known.rowId);
    this.#tell(trustDomain);
  }

  /** What was written is written, whatever a listener makes of it. */
  #tell(trustDomain: TrustDomain): void {
    for (const listener of this.#listeners) {
      try {
        listener(trustDomain);
      } catch (error) {
        this.#deps.log.error('A listener for bundle changes failed', {
          trust_domain_id: trustDomain.idString,
          error: reasonOf(error),
        });
      }
    }
  }
}

const isSame = (a: Row<Bundle>, b: Row<Bundle>): boolean =>
  a.rowId === b.rowId &&
  Buffer.compare(storedBundleToBytes(a.value), storedBundleToBytes(b.value)) === 0;
