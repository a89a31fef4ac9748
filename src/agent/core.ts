import { type Clock, unixSeconds } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { KeyType } from '../crypto/keys.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Tracer } from '../ops/tracing.ts';
import type { KeyManager } from '../plugins/key-manager/contract.ts';
import type { AgentNodeAttestor } from '../plugins/node-attestor/contract.ts';
import type { SvidStore } from '../plugins/svid-store/contract.ts';
import { type ClientTls, type DialOptions, dial } from '../rpc/dial.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { tlsIdentity } from './attest/agent-svid.ts';
import { type AttestAtStartDeps, type Attested, attestAtStart } from './attest/attest-at-start.ts';
import { attestNode, type NodeToAttest } from './attest/attest-node.ts';
import { countBootstrapAttempt } from './attest/bootstrap-attempt.ts';
import { type BundleSource, fetchTrustBundle } from './attest/bundle-source.ts';
import { CurrentSvid } from './attest/current-svid.ts';
import { Rebootstrap, type RebootstrapDeps } from './attest/rebootstrap.ts';
import { AgentSvidRotator } from './attest/rotate-agent-svid.ts';
import { X509Cache } from './cache/x509-cache.ts';
import type { Identities } from './identities.ts';
import type { KeptFile } from './kept/kept-file.ts';
import { forgetKept } from './kept/kept-place.ts';
import { Manager } from './manager.ts';
import { ServerConnection } from './server/server-connection.ts';
import { verifyServer } from './server/server-identity.ts';
import type { AgentStatus } from './status.ts';
import type { AgentDataFile } from './storage/agent-data-file.ts';
import { StoreCache } from './svid-store/store-cache.ts';
import { StoreService } from './svid-store/store-service.ts';
import { AuthorizedEntries } from './sync/authorized-entries.ts';
import { fetchUpdates } from './sync/fetch-updates.ts';
import { JwtSvids } from './sync/jwt-svids.ts';
import { X509SvidMinter, type X509SvidMinterDeps } from './sync/mint-x509-svids.ts';
import { Misses } from './sync/misses.ts';
import { SyncCycle } from './sync/sync-cycle.ts';
import { countedFetch, countedMinter } from './sync/sync-metrics.ts';
import { Synchronizer } from './sync/synchronizer.ts';
import { TaintedAuthorities } from './sync/tainted-authorities.ts';
import { WitSvids } from './sync/wit-svids.ts';
import { Cause } from './tracing.ts';

export type AgentCoreOptions = {
  readonly trustDomain: TrustDomain;
  /** As configured, a `spiffe://` prefix included. */
  readonly configuredTrustDomain: string;
  readonly serverHost: string;
  readonly serverPort: number;
  readonly bundleSource: BundleSource;
  readonly storage: AgentDataFile;
  readonly keyManager: KeyManager;
  /** Keys do not outlive the process. */
  readonly keysAreLost: boolean;
  readonly nodeAttestor: AgentNodeAttestor;
  readonly svidStores: readonly SvidStore[];
  readonly dataDirectory: string;
  /** Workloads' SVIDs outlive the process, sealed by a key of the key manager. */
  readonly keepSvidsOnDisk: boolean;
  readonly rebootstrap: Pick<RebootstrapDeps, 'mode' | 'delayMilliseconds'>;
  /** Agrees on keys with the server in no way that a quantum computer could undo. */
  readonly requirePostQuantum: boolean;
  readonly workloadX509SvidKeyType: KeyType;
  /** 0: not wanted. */
  readonly availabilityTargetSeconds: number;
  readonly syncIntervalMilliseconds: number;
  readonly useSyncAuthorizedEntries: boolean;
  readonly x509SvidCacheMaxSize: number;
  readonly jwtSvidCacheMaxSize: number;
  readonly jwtSvidCacheHitTimeoutMilliseconds: number;
  /** What the server is told that we are. */
  readonly version: string;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};

/** An agent that has attested and synchronised, without its sockets. */
export interface AgentCore extends Disposable {
  readonly identities: Identities;
  /** The agent's own SVID. */
  readonly current: Pick<CurrentSvid, 'value' | 'onChange'>;
  readonly status: AgentStatus;
  /** Keeps everything fresh until the signal aborts. Rejects when the agent must end. */
  run(signal: AbortSignal): Promise<void>;
}

/** Attests, or finds that it need not, and synchronises once. */
export async function startCore(
  options: AgentCoreOptions,
  signal: AbortSignal,
): Promise<AgentCore> {
  const { clock, random, metrics, tracer, log, storage, keyManager } = options;
  const kept = await openKept(options);
  const rebootstrap = new Rebootstrap({
    ...options.rebootstrap,
    storage,
    forgetKept: () => kept?.forget() ?? Promise.resolve(),
    clock,
    log: log.child({ subsystem_name: 'attestor' }),
  });
  if (storage.data.svid.length > 0) rebootstrap.check(storage.data.reattestable);
  const attested = await attestAtStart(attestationDeps(options, rebootstrap), signal);
  rebootstrap.check(attested.svid.reattestable);
  if (!attested.svid.reattestable && options.keysAreLost) log.warn(CANNOT_COME_BACK);

  const current = new CurrentSvid(attested.svid);
  const managerLog = log.child({ subsystem_name: 'manager' });
  const [entryWanted, svidWanted] = [new Cause(tracer), new Cause(tracer)];
  const cache = newCache(options, attested, () => {
    svidWanted.note();
    synchronizer.wakeMinting();
  });
  using opened = new DisposableStack();
  const connection = opened.use(connectionOf(options, current, cache));
  const entries = new AuthorizedEntries(managerLog, metrics);
  const stopped = opened.adopt(new AbortController(), (controller) => {
    controller.abort(new Error('the agent has stopped'));
  });
  const jwtSvids = new JwtSvids({
    connection,
    maxSize: options.jwtSvidCacheMaxSize,
    cacheHitTimeoutMilliseconds: options.jwtSvidCacheHitTimeoutMilliseconds,
    metrics,
    clock,
    random,
    log: managerLog,
    signal: stopped.signal,
  });
  const witSvids = new WitSvids({
    connection,
    maxSize: options.jwtSvidCacheMaxSize,
    taintedKeyIds: () => taintedWitKeyIds(cache.bundle),
    clock,
    random,
    log: managerLog,
    signal: stopped.signal,
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
    attested.bundle,
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
  const rotator = new AgentSvidRotator({
    current,
    connection,
    keyManager,
    attest: (key, call) =>
      attest(options, { key, bundle: cache.bundle }, verifier(options, cache), call),
    store: ({ chain, reattestable }) => storage.update({ svid: chain, reattestable }),
    async mendStorage() {
      const wasGone = await storage.mend();
      if (wasGone) kept?.renew();
      return wasGone;
    },
    hasValidSvids: () => cache.hasValidSvids(unixSeconds(clock)),
    availabilityTargetSeconds: options.availabilityTargetSeconds,
    metrics,
    clock,
    random,
    log: managerLog,
  });
  const manager = new Manager({
    current,
    cache,
    entries,
    connection,
    synchronizer,
    rotator,
    storeService,
    rebootstrap,
    kept,
    storage,
    version: options.version,
    clock,
    random,
    log: managerLog,
  });
  await manager.initialize(signal);
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
  const running = opened.move();
  return {
    identities: {
      subscribe: (selectors) => cache.subscribe(selectors),
      latest: (selectors) => cache.latest(selectors),
      matchingEntries: (selectors) => cache.matchingEntries(selectors),
      awaitEntry: (selectors, call) => misses.awaitEntry(selectors, call),
      subscribeBundles: () => cache.subscribeBundles(),
      bundles: () => cache.bundles,
      fetchJwtSvid: (entry, audience, call) => jwtSvids.fetch(entry, audience, call),
      fetchWitSvid: (entry, call) => witSvids.fetch(entry, call),
    },
    current,
    status: statusOf({ current, cache, storeCache, entries, jwtSvids, synchronizer }),
    run: (until) => manager.run(until),
    [Symbol.dispose]: () => {
      running.dispose();
    },
  };
}

const taintedWitKeyIds = ({ witAuthorities }: Bundle): ReadonlySet<string> =>
  new Set(witAuthorities.filter(({ tainted }) => tainted).map(({ keyId }) => keyId));

type StatusParts = {
  readonly current: CurrentSvid;
  readonly cache: X509Cache;
  readonly storeCache: StoreCache;
  readonly entries: AuthorizedEntries;
  readonly jwtSvids: JwtSvids;
  readonly synchronizer: Synchronizer;
};

const statusOf = (parts: StatusParts): AgentStatus => ({
  get svidChain() {
    return parts.current.value.chain;
  },
  get x509SvidCount() {
    return parts.cache.svidCount;
  },
  get jwtSvidCount() {
    return parts.jwtSvids.count;
  },
  get storeSvidCount() {
    return parts.storeCache.svidCount;
  },
  get entries() {
    return parts.entries.all;
  },
  svidOf: (entryId) => parts.cache.svidOf(entryId),
  get lastSyncSuccess() {
    return parts.synchronizer.lastSuccess;
  },
  get lastSync() {
    return parts.synchronizer.lastOutcome;
  },
});

/** Undefined where nothing is kept; then nothing of former runs is either. */
async function openKept(options: AgentCoreOptions): Promise<KeptFile | undefined> {
  const { dataDirectory, keepSvidsOnDisk, keysAreLost, keyManager, log } = options;
  if (!keepSvidsOnDisk) {
    await forgetKept(dataDirectory);
    return undefined;
  }
  if (keysAreLost) throw new Fault('invalid', NO_KEY_TO_KEEP);
  const { trustDomain, storage, clock } = options;
  const { KeptFile } = await import('./kept/kept-file.ts');
  return new KeptFile({ dataDirectory, keyManager, trustDomain, storage, clock, log });
}

const NO_KEY_TO_KEEP =
  "experimental.keep_svids_on_disk needs a key manager whose keys outlive the agent; those of 'memory' do not";

const CANNOT_COME_BACK =
  "Node attestation is not reattestable and the 'memory' key manager is in use; if the agent process is restarted, it will be unable to obtain a new SVID and will need to be manually evicted to be able to re-attest.";

function attestationDeps(options: AgentCoreOptions, rebootstrap: Rebootstrap): AttestAtStartDeps {
  const { trustDomain, bundleSource, storage, keyManager, clock, random } = options;
  const log = options.log.child({ subsystem_name: 'attestor' });
  return {
    trustDomain,
    bundleSource,
    async fetchTrustBundle(signal) {
      if (bundleSource.kind === 'insecure') throw new TypeError('nothing to fetch');
      const state = await countBootstrapAttempt(storage, clock);
      return fetchTrustBundle({ ...options, log }, bundleSource, state, signal);
    },
    keyManager,
    storage,
    attest: (node, verify, signal) => attest(options, node, verify, signal),
    rebootstrap,
    remedy: (failure) => options.nodeAttestor.remedy?.(failure),
    clock,
    random,
    log,
  };
}

const attest = (
  options: AgentCoreOptions,
  node: NodeToAttest,
  verify: ClientTls['verify'],
  signal: AbortSignal,
) =>
  attestNode(
    {
      attestor: options.nodeAttestor,
      address: addressOf(options),
      requirePostQuantum: options.requirePostQuantum,
      dial: dialer(options),
      metrics: options.metrics,
      log: options.log.child({ subsystem_name: 'attestor' }),
    },
    node,
    verify,
    signal,
  );

const newCache = (
  { trustDomain, x509SvidCacheMaxSize, metrics, clock, log }: AgentCoreOptions,
  { bundle }: Attested,
  onMissing: () => void,
): X509Cache =>
  new X509Cache({
    trustDomain,
    bundle,
    maxSize: x509SvidCacheMaxSize,
    metrics,
    clock,
    log: log.child({ subsystem_name: 'cache_manager' }),
    onMissing,
  });

const connectionOf = (
  options: AgentCoreOptions,
  current: CurrentSvid,
  cache: X509Cache,
): ServerConnection =>
  new ServerConnection({
    address: addressOf(options),
    tls: {
      identity: () => tlsIdentity(current.value),
      verify: verifier(options, cache),
      postQuantumOnly: options.requirePostQuantum,
    },
    dial: dialer(options),
  });

/** The server may have to be reached through a proxy (`reference/agent.md` §2.8). */
const dialer =
  ({ environment, tracer }: AgentCoreOptions) =>
  (options: DialOptions) =>
    dial({ ...options, proxyVariables: environment, tracer });

const verifier =
  ({ clock }: AgentCoreOptions, cache: X509Cache): ClientTls['verify'] =>
  (chain) =>
    verifyServer(chain, cache.bundle, unixSeconds(clock));

const addressOf = ({ serverHost, serverPort }: AgentCoreOptions): string =>
  serverHost.includes(':') ? `[${serverHost}]:${serverPort}` : `${serverHost}:${serverPort}`;
