import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { selectorText } from '../../spiffe/selector.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { type BundleList, BundleNews, type BundleSubscription } from './bundle-news.ts';
import { BundleSet } from './bundle-set.ts';
import { tellCacheChanges, tellCacheSizes } from './cache-metrics.ts';
import { SelectorIndex } from './selector-index.ts';
import { Subscriber, type Subscription } from './subscriber.ts';
import type { Identity, WorkloadUpdate, X509Svid } from './workload-update.ts';

export type X509CacheDeps = {
  readonly trustDomain: TrustDomain;
  /** The own trust domain's bundle, as attestation found it. */
  readonly bundle: Bundle;
  /** How many SVIDs are kept; more only while subscribers want them. */
  readonly maxSize: number;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  /** Called when a subscriber waits for an SVID that is not there. */
  readonly onMissing: () => void;
};

/** An entry that needs a new SVID; `former` is the one it has. */
export type StaleEntry = { readonly entry: AuthorizedEntry; readonly former: X509Svid | undefined };

type CacheRecord = {
  entry: AuthorizedEntry;
  selectors: readonly string[];
  svid: X509Svid | undefined;
  isStale: boolean;
  /** Its SVID had to be forgotten, and there is no other yet. */
  isDropped: boolean;
  /** When a workload last came for it; 0: never. */
  lastAccess: number;
};

/** More sets of identities than this share no update; what they would share is small. */
const MAX_SHARED_UPDATES = 1024;

/**
 * The entries that the server lets this agent serve, their X.509-SVIDs, and who waits for them (`reference/agent.md`
 * §3.5). Every method runs to its end without a pause, so nobody sees half of a change.
 */
export class X509Cache {
  readonly #deps: X509CacheDeps;
  readonly #records = new Map<string, CacheRecord>();
  readonly #entriesBySelector = new SelectorIndex<CacheRecord>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #subscribersBySelector = new SelectorIndex<Subscriber>();
  readonly #bundles: BundleSet;
  readonly #bundleNews = new BundleNews();
  /** Updates by the IDs of their entries, until anything changes. */
  readonly #shared = new Map<string, WorkloadUpdate>();
  #svidCount = 0;
  #revision = 0;

  constructor(deps: X509CacheDeps) {
    this.#deps = deps;
    this.#bundles = new BundleSet(deps.bundle, deps.log);
  }

  /** Takes what a synchronisation found. `isDue` says whether an SVID is to be renewed. */
  update(
    entries: readonly AuthorizedEntry[],
    bundles: readonly Bundle[],
    isDue: (svid: X509Svid) => boolean,
  ): { readonly expiring: number; readonly outdated: number } {
    const dirty = new Set<Subscriber>();
    const changed = this.#bundles.replace(bundles);
    if (changed.size > 0) {
      this.#revision += 1;
      this.#shared.clear();
      this.#bundleNews.tell(this.#bundles.all);
    }
    if (changed.has(this.#deps.trustDomain.name)) {
      for (const subscriber of this.#subscribers) dirty.add(subscriber);
    }
    const removed = this.#removeOthers(new Set(entries.map(({ id }) => id)), dirty);
    const counts = { added: 0, updated: 0, removed, expiring: 0, outdated: 0 };
    for (const entry of entries) this.#take(entry, { changed, isDue, dirty, counts });
    this.#makeRoom();
    this.#prefetch();
    this.#notify(dirty);
    tellCacheChanges(this.#deps.metrics, counts);
    tellCacheSizes(this.#deps.metrics, this);
    return { expiring: counts.expiring, outdated: counts.outdated };
  }

  /**
   * Takes SVIDs that were minted, by the entries as they were when they were asked for. Those whose entry is gone are
   * dropped, and those whose entry has changed meanwhile: they may say what it said before, and stay to be minted.
   */
  setSvids(svids: ReadonlyMap<AuthorizedEntry, X509Svid>): void {
    const dirty = new Set<Subscriber>();
    for (const [{ id: entryId, revisionNumber, createdAt }, svid] of svids) {
      const record = this.#records.get(entryId);
      if (record?.entry.revisionNumber !== revisionNumber) continue;
      if (record.entry.createdAt !== createdAt) continue;
      this.#setSvid(record, svid);
      record.isStale = false;
      this.#addMatching(record.selectors, dirty);
      this.#deps.log.debug('SVID updated', {
        entry: entryId,
        spiffe_id: record.entry.spiffeId.toString(),
      });
    }
    this.#makeRoom();
    this.#notify(dirty);
    tellCacheSizes(this.#deps.metrics, this);
  }

  /** Forgets these SVIDs, which must not be used any more; nobody is told before new ones are there. */
  dropSvids(identities: Iterable<Identity>): void {
    for (const { entry, svid } of identities) {
      const record = this.#records.get(entry.id);
      if (record?.svid !== svid) continue; // a newer one stays
      this.#setSvid(record, undefined);
      record.isDropped = true;
    }
  }

  /** What needs a new SVID now: first what a subscriber waits for, then renewals, then what there is room for. */
  staleEntries(): StaleEntry[] {
    const waitedFor: CacheRecord[] = [];
    const renewals: CacheRecord[] = [];
    const rest: CacheRecord[] = [];
    for (const record of this.#records.values()) {
      if (record.svid !== undefined) {
        if (record.isStale) renewals.push(record);
      } else if (this.#isWanted(record)) waitedFor.push(record);
      else if (record.isStale) rest.push(record);
    }
    const room = Math.max(0, this.#deps.maxSize - this.#svidCount - waitedFor.length);
    for (const record of rest.splice(room)) record.isStale = false; // its subscriber has left
    return [...waitedFor, ...renewals, ...rest].map(({ entry, svid }) => ({ entry, former: svid }));
  }

  /**
   * Registers for the updates of these selectors. The first is there as soon as every matching entry has its SVID:
   * at once if there is none. Without selectors there is the first and no more.
   */
  subscribe(selectors: ReadonlySet<string>): Subscription {
    const subscriber = new Subscriber(selectors, (self) => {
      this.#subscribers.delete(self);
      this.#subscribersBySelector.delete(self);
    });
    if (selectors.size > 0) {
      this.#subscribers.add(subscriber);
      this.#subscribersBySelector.add(subscriber);
    }
    const now = this.#deps.clock.now();
    let isMissing = false;
    for (const record of this.#matching(selectors)) {
      record.lastAccess = now;
      if (record.svid === undefined) isMissing = true;
    }
    if (isMissing) {
      this.#deps.log.info('Waiting for SVID to get cached', {
        selectors: [...selectors].join(','),
      });
      this.#deps.onMissing();
    } else subscriber.deliver(this.latest(selectors));
    return subscriber;
  }

  /** What a subscriber of these selectors would be told now, without waiting for anything. */
  latest(selectors: ReadonlySet<string>): WorkloadUpdate {
    const records = this.#matching(selectors).filter(({ svid }) => svid !== undefined);
    const key = records.map(({ entry }) => entry.id).join('\n');
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const update = this.#makeUpdate(records);
    if (this.#shared.size >= MAX_SHARED_UPDATES) this.#shared.clear();
    this.#shared.set(key, update);
    return update;
  }

  /** The entries that these selectors match, with or without SVID, ascending by ID. */
  matchingEntries(selectors: ReadonlySet<string>): AuthorizedEntry[] {
    return this.#matching(selectors).map(({ entry }) => entry);
  }

  /** Whether any entry matches. */
  hasMatch(selectors: ReadonlySet<string>): boolean {
    for (const record of this.#entriesBySelector.withAny(selectors)) {
      if (record.selectors.every((selector) => selectors.has(selector))) return true;
    }
    return false;
  }

  /** The SVIDs held, with the entries they belong to. */
  *identities(): Generator<Identity> {
    for (const { entry, svid } of this.#records.values()) {
      if (svid !== undefined) yield { entry, svid };
    }
  }

  /** Whether any SVID is good at that time. */
  hasValidSvids(atUnixSeconds: number): boolean {
    for (const { svid } of this.#records.values()) {
      if (svid !== undefined && atUnixSeconds < svid.notAfter) return true;
    }
    return false;
  }

  /** All bundles, whoever's they are, and again after each change. */
  subscribeBundles(): BundleSubscription {
    return this.#bundleNews.subscribe(this.#bundles.all);
  }

  /** All bundles that the agent holds. */
  get bundles(): BundleList {
    return this.#bundles.all;
  }

  /** The SVID of that entry, if it is held. */
  svidOf(entryId: string): X509Svid | undefined {
    return this.#records.get(entryId)?.svid;
  }

  /** The own trust domain's bundle. */
  get bundle(): Bundle {
    return this.#bundles.own;
  }

  /** Grows with every change of `identities` and `bundles`. */
  get revision(): number {
    return this.#revision;
  }

  get svidCount(): number {
    return this.#svidCount;
  }

  get entryCount(): number {
    return this.#records.size;
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  #removeOthers(keep: ReadonlySet<string>, dirty: Set<Subscriber>): number {
    let removed = 0;
    for (const [id, record] of this.#records) {
      if (keep.has(id)) continue;
      this.#remove(record, dirty);
      removed++;
    }
    return removed;
  }

  #remove(record: CacheRecord, dirty: Set<Subscriber>): void {
    this.#addMatching(record.selectors, dirty);
    this.#setSvid(record, undefined);
    this.#records.delete(record.entry.id);
    this.#entriesBySelector.delete(record);
    this.#deps.log.debug('Entry removed', logFields(record.entry));
  }

  #take(
    entry: AuthorizedEntry,
    {
      changed,
      isDue,
      dirty,
      counts,
    }: {
      changed: ReadonlySet<string>;
      isDue: (svid: X509Svid) => boolean;
      dirty: Set<Subscriber>;
      counts: { added: number; updated: number; expiring: number; outdated: number };
    },
  ): void {
    const record = this.#records.get(entry.id);
    if (record === undefined) {
      this.#create(entry, dirty);
      counts.added++;
      return;
    }
    const former = record.entry;
    if (former !== entry) {
      this.#replaceEntry(record, entry, dirty);
      counts.updated++;
    }
    if (entry.federatesWith.some(({ name }) => changed.has(name))) {
      this.#addMatching(record.selectors, dirty);
    }
    if (former.createdAt !== entry.createdAt) {
      // It was deleted, and another one made with its ID: what was said of the former is not true of this.
      counts.outdated++;
      const hadSvid = record.svid !== undefined;
      this.#setSvid(record, undefined);
      record.isStale = hadSvid;
      record.isDropped = hadSvid;
    } else if (former.revisionNumber !== entry.revisionNumber) {
      counts.outdated++;
      if (record.svid !== undefined) record.isStale = true;
    }
    if (record.svid !== undefined && isDue(record.svid)) {
      counts.expiring++;
      record.isStale = true;
    }
  }

  #create(entry: AuthorizedEntry, dirty: Set<Subscriber>): void {
    const record: CacheRecord = {
      entry,
      selectors: selectorTexts(entry),
      svid: undefined,
      isStale: false,
      isDropped: false,
      lastAccess: 0,
    };
    this.#records.set(entry.id, record);
    this.#entriesBySelector.add(record);
    this.#addMatching(record.selectors, dirty);
    this.#deps.log.debug('Entry created', logFields(entry));
  }

  #replaceEntry(record: CacheRecord, entry: AuthorizedEntry, dirty: Set<Subscriber>): void {
    const { entry: former, selectors } = record;
    const wanted = selectorTexts(entry);
    this.#revision += 1;
    this.#shared.clear();
    record.entry = entry;
    if (!sameTexts(selectors, wanted)) {
      this.#addMatching(selectors, dirty);
      this.#entriesBySelector.delete(record);
      record.selectors = wanted;
      this.#entriesBySelector.add(record);
      this.#addMatching(wanted, dirty);
    }
    if (!sameTexts(former.federatesWith.map(String), entry.federatesWith.map(String))) {
      this.#addMatching(wanted, dirty);
    }
    if (former.revisionNumber !== entry.revisionNumber) {
      this.#deps.log.debug('Entry updated', logFields(entry));
    }
  }

  /**
   * Forgets what was used least recently until there are no more than there may be, or only those that subscribers want:
   * whenever SVIDs have come, so that the number never grows beyond these two.
   */
  #makeRoom(): void {
    const excess = this.#svidCount - this.#deps.maxSize;
    if (excess <= 0) return;
    const idle = [...this.#records.values()]
      .filter((record) => record.svid !== undefined && !this.#isWanted(record))
      .toSorted((a, b) => a.lastAccess - b.lastAccess);
    for (const record of idle.slice(0, excess)) {
      this.#setSvid(record, undefined);
      record.isStale = false;
    }
  }

  /** Marks so many entries as there is room for, whether or not anybody wants them. */
  #prefetch(): void {
    let room = this.#deps.maxSize - this.#svidCount;
    for (const { isStale, svid } of this.#records.values()) if (isStale && !svid) room--;
    for (const record of this.#records.values()) {
      if (room <= 0) return;
      if (record.svid || record.isStale || record.entry.disableX509SvidPrefetch) continue;
      record.isStale = true;
      room--;
    }
  }

  /** Any one selector with a subscriber makes an entry wanted, as in SPIRE: it may be asked for next. */
  #isWanted({ selectors }: CacheRecord): boolean {
    return this.#subscribersBySelector.hasAny(selectors);
  }

  #setSvid(record: CacheRecord, svid: X509Svid | undefined): void {
    this.#svidCount += Number(svid !== undefined) - Number(record.svid !== undefined);
    this.#revision += 1;
    record.svid = svid;
    record.isDropped = false;
    this.#shared.clear();
  }

  #addMatching(selectors: readonly string[], dirty: Set<Subscriber>): void {
    for (const subscriber of this.#subscribersBySelector.withAll(selectors)) dirty.add(subscriber);
  }

  #notify(dirty: ReadonlySet<Subscriber>): void {
    if (dirty.size > 0) this.#shared.clear();
    for (const subscriber of dirty) {
      const { selectors, isNew } = subscriber;
      const records = this.#matching(selectors);
      if (isNew && records.some(({ svid }) => svid === undefined)) continue;
      // Being told of no identity ends a workload's stream; this one is about to have a new SVID.
      if (records.some(({ isDropped }) => isDropped) && records.every(({ svid }) => !svid))
        continue;
      subscriber.deliver(this.latest(selectors));
    }
  }

  #matching(selectors: ReadonlySet<string>): CacheRecord[] {
    const found: CacheRecord[] = [];
    for (const record of this.#entriesBySelector.withAny(selectors)) {
      if (record.selectors.every((selector) => selectors.has(selector))) found.push(record);
    }
    return found.sort((a, b) => (a.entry.id < b.entry.id ? -1 : 1));
  }

  #makeUpdate(records: readonly CacheRecord[]): WorkloadUpdate {
    const identities = records.flatMap(({ entry, svid }) => (svid ? [{ entry, svid }] : []));
    const names = new Set(identities.flatMap(({ entry }) => entry.federatesWith.map(String)));
    return {
      identities,
      bundle: this.#bundles.own,
      federatedBundles: this.#bundles.federated(names),
    };
  }
}

const selectorTexts = (entry: AuthorizedEntry): readonly string[] => [
  ...new Set(entry.selectors.map(selectorText)),
];

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && new Set([...a, ...b]).size === new Set(a).size;

const logFields = (entry: AuthorizedEntry) => ({
  entry: entry.id,
  spiffe_id: entry.spiffeId.toString(),
});
