import type { Bundle } from '../../spiffe/bundle.ts';
import type { CurrentSvid } from '../attest/current-svid.ts';
import type { Rebootstrap } from '../attest/rebootstrap.ts';
import { X509Cache } from '../cache/x509-cache.ts';
import type { AgentCoreOptions } from '../core-options.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { StoreCache } from '../svid-store/store-cache.ts';
import { StoreService } from '../svid-store/store-service.ts';
import { Cause } from '../tracing.ts';
import { AuthorizedEntries } from './authorized-entries.ts';
import { fetchUpdates } from './fetch-updates.ts';
import { JwtSvids } from './jwt-svids.ts';
import { X509SvidMinter, type X509SvidMinterDeps } from './mint-x509-svids.ts';
import { Misses } from './misses.ts';
import { SyncCycle } from './sync-cycle.ts';
import { countedFetch, countedMinter } from './sync-metrics.ts';
import { Synchronizer } from './synchronizer.ts';
import { TaintedAuthorities } from './tainted-authorities.ts';
import { WitSvids } from './wit-svids.ts';

export type SyncParts = ReturnType<typeof assembleSync>;

export type AssembleSyncDeps = {
  readonly options: AgentCoreOptions;
  readonly current: CurrentSvid;
  readonly rebootstrap: Rebootstrap;
  /** The own trust domain's, as attestation found it. */
  readonly bundle: Bundle;
  /** Has the bundle of the cache that is made here. */
  readonly connect: (bundle: () => Bundle) => ServerConnection;
  /** Aborts when the agent has stopped. */
  readonly stopped: AbortSignal;
};

/** The caches, and all that keeps them in step with the server. Nothing runs yet. */
export function assembleSync(deps: AssembleSyncDeps) {
  const { options, current, rebootstrap, bundle, connect, stopped } = deps;
  const { clock, random, metrics, tracer, log, storage } = options;
  const managerLog = log.child({ subsystem_name: 'manager' });
  const [entryWanted, svidWanted] = [new Cause(tracer), new Cause(tracer)];
  const cache: X509Cache = new X509Cache({
    trustDomain: options.trustDomain,
    bundle,
    maxSize: options.x509SvidCacheMaxSize,
    metrics,
    clock,
    log: log.child({ subsystem_name: 'cache_manager' }),
    onMissing: () => {
      svidWanted.note();
      synchronizer.wakeMinting();
    },
  });
  const connection = connect(() => cache.bundle);
  const entries = new AuthorizedEntries(managerLog, metrics);
  const jwtSvids = new JwtSvids({
    connection,
    maxSize: options.jwtSvidCacheMaxSize,
    cacheHitTimeoutMilliseconds: options.jwtSvidCacheHitTimeoutMilliseconds,
    metrics,
    clock,
    random,
    log: managerLog,
    signal: stopped,
  });
  const witSvids = new WitSvids({
    connection,
    maxSize: options.jwtSvidCacheMaxSize,
    taintedKeyIds: () => taintedWitKeyIds(cache.bundle),
    clock,
    random,
    log: managerLog,
    signal: stopped,
  });
  const { useSyncAuthorizedEntries } = options;
  const fetching = { connection, entries, useSyncAuthorizedEntries, log: managerLog };
  const newMinter = (cacheType: X509SvidMinterDeps['cacheType']) =>
    new X509SvidMinter({
      connection,
      keyType: options.workloadX509SvidKeyType,
      availabilityTargetSeconds: options.availabilityTargetSeconds,
      cacheType,
      log: managerLog,
    });
  const minter = newMinter('workload');
  const storeCache: StoreCache = new StoreCache(
    bundle,
    log.child({ subsystem_name: 'svid_store_cache' }),
    () => {
      storeService.wake();
    },
  );
  const storeService: StoreService = new StoreService({
    cache: storeCache,
    stores: options.svidStores,
    metrics,
    clock,
    log: log.child({ subsystem_name: 'svid_store_service' }),
  });
  const cycle = new SyncCycle({
    fetchUpdates: countedFetch(
      (call) => entryWanted.trace('synchronize', () => fetchUpdates(fetching, call)),
      metrics,
    ),
    cache,
    storeCache,
    jwtSvids,
    storeMinter: countedMinter(newMinter('svid_store'), metrics),
    minter: countedMinter(
      {
        mint: (stale, call) => svidWanted.trace('mint X509-SVIDs', () => minter.mint(stale, call)),
      },
      metrics,
    ),
    taints: new TaintedAuthorities(managerLog),
    current,
    storeBundle: ({ x509Authorities }) =>
      storage.update({ bundle: x509Authorities.map(({ der }) => der) }),
    availabilityTargetSeconds: options.availabilityTargetSeconds,
    metrics,
    clock,
    random,
    log: managerLog,
  });
  const synchronizer: Synchronizer = new Synchronizer({
    cycle,
    isEmpty: () => cache.svidCount === 0,
    rebootstrap,
    connectionIsOld: () => {
      connection.drop();
    },
    intervalMilliseconds: options.syncIntervalMilliseconds,
    clock,
    random,
    log: managerLog,
  });
  const misses = new Misses({
    hasMatch: (selectors) => cache.hasMatch(selectors),
    rounds: () => synchronizer.rounds,
    wake: () => {
      entryWanted.note();
      svidWanted.note();
      synchronizer.wake();
    },
    intervalMilliseconds: options.syncIntervalMilliseconds,
    clock,
  });
  return {
    cache,
    connection,
    entries,
    jwtSvids,
    witSvids,
    storeCache,
    storeService,
    synchronizer,
    misses,
  };
}

const taintedWitKeyIds = ({ witAuthorities }: Bundle): ReadonlySet<string> =>
  new Set(witAuthorities.filter(({ tainted }) => tainted).map(({ keyId }) => keyId));
