import { type Clock, unixSeconds } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { isSignedByAny } from '../../spiffe/signed-by-any.ts';
import type { CurrentSvid } from '../attest/current-svid.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { X509Cache } from '../cache/x509-cache.ts';
import { isX509RotationDue } from '../rotation.ts';
import type { StoreCache } from '../svid-store/store-cache.ts';
import { dropTaintedSvids } from './drop-tainted-svids.ts';
import type { ServerUpdates } from './fetch-updates.ts';
import type { JwtSvids } from './jwt-svids.ts';
import type { X509SvidMinter } from './mint-x509-svids.ts';
import type { NewTaints, TaintedAuthorities } from './tainted-authorities.ts';

export type SyncCycleDeps = {
  /** `fetchUpdates` with its collaborators. */
  readonly fetchUpdates: (signal: AbortSignal) => Promise<ServerUpdates>;
  readonly cache: X509Cache;
  readonly storeCache: StoreCache;
  readonly jwtSvids: Pick<JwtSvids, 'dropSignedBy' | 'renewAhead'>;
  readonly minter: Pick<X509SvidMinter, 'mint'>;
  /** For what goes to stores of SVIDs; its calls grow and shrink by themselves. */
  readonly storeMinter: Pick<X509SvidMinter, 'mint'>;
  readonly taints: TaintedAuthorities;
  readonly current: CurrentSvid;
  /** Stores the own trust domain's bundle; its failure is told, and made good at the next synchronisation. */
  readonly storeBundle: (bundle: Bundle) => Promise<void>;
  readonly availabilityTargetSeconds: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

/** How the log tells the two caches apart. */
type CacheType = 'workload' | 'svid_store';

const EXPIRING_STORED = ['cache_manager', 'expiring_svids', 'svid_store'];
const OUTDATED_STORED = ['cache_manager', 'outdated_svids', 'svid_store'];
const PROCESS_STORED = ['cache_manager', 'svid_store', 'process_tainted_x509_svids'];

/** What one synchronisation does (`reference/agent.md` §3.1). */
export class SyncCycle {
  readonly #deps: SyncCycleDeps;
  #isBundleStored = true;
  /** One pass of minting at a time: whoever else comes would ask for the same SVIDs. */
  #minting: Promise<unknown> = Promise.resolve();

  constructor(deps: SyncCycleDeps) {
    this.#deps = deps;
  }

  /** Throws what went wrong; steps that were done stay done. */
  async run(signal: AbortSignal): Promise<void> {
    const { fetchUpdates, cache, storeCache, storeMinter, metrics, clock } = this.#deps;
    const { entries, bundles } = await fetchUpdates(signal);
    const former = cache.bundle;
    const own = bundles.find(({ trustDomain }) => trustDomain.equals(former.trustDomain));
    // Before the entries, so that what is dropped here is minted again in this very cycle.
    if (own !== undefined) {
      const tainted = this.#deps.taints.findNew(own, former, unixSeconds(clock));
      await this.#dropTainted(tainted, signal);
    }
    const ofWorkloads = entries.filter(({ storeSvid }) => !storeSvid);
    this.#tell('workload', cache.update(ofWorkloads, bundles, this.#isDue));
    if (cache.bundle !== former || !this.#isBundleStored) await this.#storeBundle(cache.bundle);
    await this.mint(signal);
    const toStore = entries.filter(({ storeSvid }) => storeSvid);
    const changes = storeCache.update(toStore, bundles, this.#isDue);
    this.#tell('svid_store', changes);
    if (changes.expiring > 0) metrics.sample(EXPIRING_STORED, changes.expiring);
    if (changes.outdated > 0) metrics.sample(OUTDATED_STORED, changes.outdated);
    const stale = storeCache.staleEntries();
    if (stale.length > 0) storeCache.setSvids(await storeMinter.mint(stale, signal));
    const ids = new Set(ofWorkloads.map(({ id }) => id));
    void this.#deps.jwtSvids.renewAhead((id) => ids.has(id)); // holds nobody up, and never throws
  }

  /** One pass over what workloads need; what one call cannot ask for is left to the next. */
  mint(signal: AbortSignal): Promise<void> {
    const { cache, minter } = this.#deps;
    const pass = this.#minting.then(async () => {
      const stale = cache.staleEntries();
      if (stale.length > 0) cache.setSvids(await minter.mint(stale, signal));
    });
    this.#minting = pass.catch(() => undefined); // its caller is told
    return pass;
  }

  readonly #isDue = (svid: X509Svid): boolean => {
    const { availabilityTargetSeconds, random, clock } = this.#deps;
    return isX509RotationDue(svid, unixSeconds(clock), { availabilityTargetSeconds, random });
  };

  #tell(cacheType: CacheType, counts: { expiring: number; outdated: number }): void {
    const { log } = this.#deps;
    if (counts.expiring > 0) {
      log.debug('Updating expiring SVIDs in cache', {
        cache_type: cacheType,
        expiring_svids: counts.expiring,
      });
    }
    if (counts.outdated > 0) {
      log.debug('Updating SVIDs with outdated attributes in cache', {
        cache_type: cacheType,
        outdated_svids: counts.outdated,
      });
    }
  }

  async #storeBundle(bundle: Bundle): Promise<void> {
    try {
      await this.#deps.storeBundle(bundle);
      this.#isBundleStored = true;
    } catch (error) {
      this.#isBundleStored = false;
      this.#deps.log.error('Could not store bundle', { error: error as Error });
    }
  }

  async #dropTainted({ x509, jwtKeyIds }: NewTaints, signal: AbortSignal): Promise<void> {
    const { cache, storeCache, clock, current, jwtSvids, metrics, log } = this.#deps;
    if (jwtKeyIds.size > 0) jwtSvids.dropSignedBy(jwtKeyIds);
    if (x509.length === 0) return;
    const now = unixSeconds(clock);
    if (await isSignedByAny(x509, Buffer.concat([...current.value.chain]), now)) {
      log.info('Agent SVID is tainted by a root authority, forcing rotation');
      current.taint();
    }
    const { rest } = await dropTaintedSvids({ cache, metrics, clock, log }, x509, signal);
    rest.catch((error: unknown) => {
      log.error('Could not look for tainted SVIDs', { error: error as Error });
    });
    await timedCall(metrics, PROCESS_STORED, () => storeCache.dropSignedBy(x509, now));
  }
}
