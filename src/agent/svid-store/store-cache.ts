import type { Certificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { isSignedByAny } from '../../spiffe/signed-by-any.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { BundleSet } from '../cache/bundle-set.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { StaleEntry } from '../cache/x509-cache.ts';

/** What a store is to be told of one entry. */
export type StoreRecord = {
  readonly entry: AuthorizedEntry;
  readonly svid: X509Svid | undefined;
  /** Grows with every change that the store must learn of. */
  readonly revision: number;
  /** The entry as the store knows it; undefined: not at all. */
  readonly handledEntry: AuthorizedEntry | undefined;
  readonly isRemoved: boolean;
  readonly bundle: Bundle;
  /** Of the trust domains that the entry federates with, as far as they are known. */
  readonly federatedBundles: readonly Bundle[];
};

type CacheRecord = {
  entry: AuthorizedEntry;
  svid: X509Svid | undefined;
  isStale: boolean;
  isRemoved: boolean;
  revision: number;
  handledRevision: number;
  handledEntry: AuthorizedEntry | undefined;
};

/** Entries whose SVIDs go to stores, and what the stores know of them (`reference/agent.md` §5). */
export class StoreCache {
  readonly #records = new Map<string, CacheRecord>();
  readonly #bundles: BundleSet;
  readonly #log: Log;
  readonly #onNews: () => void;

  /** `onNews` is called when a store has something to learn. */
  constructor(own: Bundle, log: Log, onNews: () => void) {
    this.#bundles = new BundleSet(own, log);
    this.#log = log;
    this.#onNews = onNews;
  }

  /** Takes what a synchronisation found. `isDue` says whether an SVID is to be renewed. */
  update(
    entries: readonly AuthorizedEntry[],
    bundles: readonly Bundle[],
    isDue: (svid: X509Svid) => boolean,
  ): { readonly expiring: number; readonly outdated: number } {
    const own = this.#bundles.own.trustDomain.name;
    const changed = this.#bundles.replace(bundles);
    this.#removeOthers(new Set(entries.map(({ id }) => id)));
    const counts = { expiring: 0, outdated: 0 };
    for (const entry of entries) {
      const record = this.#records.get(entry.id) ?? this.#create(entry);
      this.#take(record, entry, counts);
      const concerned =
        changed.has(own) || entry.federatesWith.some(({ name }) => changed.has(name));
      if (concerned) record.revision += 1;
      if (record.svid !== undefined && isDue(record.svid)) {
        counts.expiring += 1;
        record.isStale = true;
      }
    }
    if (this.pending().length > 0) this.#onNews();
    return counts;
  }

  /** What needs a new SVID now, ascending by entry ID. */
  staleEntries(): StaleEntry[] {
    return this.#sorted()
      .filter(({ isRemoved, isStale, svid }) => !isRemoved && (isStale || svid === undefined))
      .map(({ entry, svid }) => ({ entry, former: svid }));
  }

  /** Takes SVIDs that were minted, by the entries as they were when they were asked for. */
  setSvids(svids: ReadonlyMap<AuthorizedEntry, X509Svid>): void {
    for (const [{ id, revisionNumber, createdAt }, svid] of svids) {
      const record = this.#records.get(id);
      if (record === undefined || record.isRemoved) continue;
      if (record.entry.revisionNumber !== revisionNumber) continue;
      if (record.entry.createdAt !== createdAt) continue;
      record.svid = svid;
      record.isStale = false;
      record.revision += 1;
      this.#log.debug('SVID updated', {
        entry: id,
        spiffe_id: record.entry.spiffeId.toString(),
      });
    }
    if (svids.size > 0) this.#onNews();
  }

  /** Forgets the SVIDs that these authorities signed; answers how many. */
  async dropSignedBy(authorities: readonly Certificate[], atUnixSeconds: number): Promise<number> {
    let dropped = 0;
    for (const record of this.#records.values()) {
      const { svid } = record;
      if (svid === undefined) continue;
      if (!(await isSignedByAny(authorities, svid.chain, atUnixSeconds))) continue;
      if (record.svid !== svid) continue; // a newer one stays
      record.svid = undefined;
      dropped += 1;
    }
    return dropped;
  }

  /** What stores have not learnt yet, ascending by entry ID. */
  pending(): StoreRecord[] {
    return this.#sorted()
      .filter(({ revision, handledRevision }) => revision > handledRevision)
      .map((record) => ({
        entry: record.entry,
        svid: record.svid,
        revision: record.revision,
        handledEntry: record.handledEntry,
        isRemoved: record.isRemoved,
        bundle: this.#bundles.own,
        federatedBundles: this.#bundles.federated(
          new Set(record.entry.federatesWith.map(({ name }) => name)),
        ),
      }));
  }

  /** A store has learnt what there was in that revision. */
  handled({ entry, revision, isRemoved }: StoreRecord): void {
    const record = this.#records.get(entry.id);
    if (record === undefined) return;
    record.handledRevision = revision;
    record.handledEntry = isRemoved ? undefined : entry;
  }

  get svidCount(): number {
    let count = 0;
    for (const { svid } of this.#records.values()) if (svid !== undefined) count += 1;
    return count;
  }

  #sorted(): CacheRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.entry.id < b.entry.id ? -1 : 1));
  }

  #removeOthers(keep: ReadonlySet<string>): void {
    for (const [id, record] of this.#records) {
      if (keep.has(id)) continue;
      if (record.isRemoved) {
        if (record.revision <= record.handledRevision) this.#records.delete(id);
        continue;
      }
      record.isRemoved = true;
      record.svid = undefined;
      record.revision += 1;
      this.#log.debug('Entry removed', logFields(record.entry));
    }
  }

  #create(entry: AuthorizedEntry): CacheRecord {
    const record: CacheRecord = {
      entry,
      svid: undefined,
      isStale: false,
      isRemoved: false,
      revision: 1,
      handledRevision: 0,
      handledEntry: undefined,
    };
    this.#records.set(entry.id, record);
    this.#log.debug('Entry created', logFields(entry));
    return record;
  }

  #take(record: CacheRecord, entry: AuthorizedEntry, counts: { outdated: number }): void {
    const { entry: former, isRemoved } = record;
    record.entry = entry;
    record.isRemoved = false;
    if (former.revisionNumber === entry.revisionNumber && !isRemoved) return;
    record.revision += 1;
    record.isStale = record.svid !== undefined;
    counts.outdated += 1;
    this.#log.debug('Entry updated', logFields(entry));
  }
}

const logFields = (entry: AuthorizedEntry) => ({
  entry: entry.id,
  spiffe_id: entry.spiffeId.toString(),
});
