import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { openDataDirectory } from '../base/data-directory.ts';
import type { OnSignal } from '../base/signals.ts';
import { startClockWatch } from '../ops/clock-watch.ts';
import { startHealthChecks } from '../ops/health-checks.ts';
import { serveHealth } from '../ops/health-http.ts';
import type { LevelControl } from '../ops/level-control.ts';
import type { Log } from '../ops/log.ts';
import { logList } from '../ops/log-list.ts';
import { timedCall } from '../ops/metrics-call.ts';
import { startProfiling } from '../ops/profiling/start-profiling.ts';
import type { Telemetry } from '../ops/telemetry/start-telemetry.ts';
import { SPIRE_VERSION } from '../ops/version.ts';
import { countedKeyManager } from '../plugins/key-manager/counted-key-manager.ts';
import { tracedCalls } from '../rpc/trace-calls.ts';
import { checkSocketFree, checkSocketPath } from '../rpc/unix-socket.ts';
import { createInterceptor } from './api/interceptor.ts';
import { programOf } from './api/program-of.ts';
import { createRateLimits } from './api/rate-limits.ts';
import { serverServices } from './api/services.ts';
import { ChangeWatch } from './api/watch/change-watch.ts';
import { type Authorities, startAuthorities } from './ca/start-authorities.ts';
import type { ServerConfig } from './config/server-config.ts';
import type { Datastore } from './datastore/contract.ts';
import { countedDatastore } from './datastore/counted-datastore.ts';
import { checkAddressFree } from './endpoints/bind.ts';
import { startServerSvid } from './endpoints/server-svid.ts';
import { type Endpoints, startEndpoints } from './endpoints/start-endpoints.ts';
import { createClientVerifier } from './endpoints/verify-client.ts';
import { checkBundleEndpointFree, startFederation } from './federation/start-federation.ts';
import { serverHealthChecks } from './health-checks.ts';
import { loadServerPlugins, type ServerPlugins } from './load-plugins.ts';
import { openDatastore } from './open-datastore.ts';
import { startPolicy } from './policy/start-policy.ts';
import type { Registry } from './registry/contract.ts';
import { createRegistry } from './registry/create-registry.ts';
import { watchRegistrySize } from './registry/registry-metrics.ts';
import { lendSvid, startServerTelemetry } from './telemetry.ts';
import { isTracedByServer, tracedIssuer, traceParentOf } from './tracing.ts';
import { startUpkeep } from './upkeep.ts';

/** What a server needs of the world around it. */
export type ServerEnv = {
  readonly log: Log;
  /** How loud that log is. */
  readonly logLevels: LevelControl;
  readonly clock: Clock;
  /** Variables that name proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** SIGUSR1: plugins read their files again. */
  readonly onSigusr1: OnSignal;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Ends the start when it aborts; `startServer` then rejects with its reason. */
  readonly signal: AbortSignal;
};

/** Disposing stops it: new calls are refused, running ones may end, and everything that was opened is closed. */
export interface RunningServer extends AsyncDisposable {
  /** Where the API listens; the port that was found free if the configuration says 0. */
  readonly tcpAddress: AddressInfo;
  /** Rejects when the server must end, with what it ends with. Never resolves. */
  readonly failed: Promise<never>;
}

/** All that the API is served from. */
type Parts = {
  readonly telemetry: Telemetry;
  readonly datastore: Datastore;
  readonly registry: Registry;
  readonly plugins: ServerPlugins;
  readonly authorities: Authorities;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
};

/**
 * Starts a server; resolves when both its listeners take calls. A start that fails undoes itself, and one that finds
 * its socket or its port in use, or a path that no socket can have, has changed nothing.
 */
export async function startServer(config: ServerConfig, given: ServerEnv): Promise<RunningServer> {
  const { clock, signal } = given;
  const startedAt = clock.now();
  tellConfigured(config, given.log);
  checkSocketPath(config.socketPath);
  await checkAddressFree(config.bindAddress, config.bindPort);
  await checkBundleEndpointFree(config.federation);
  await checkSocketFree(config.socketPath);
  await openDataDirectory(config.dataDir);

  await using opened = new AsyncDisposableStack();
  opened.use(await startProfiling({ ...given, settings: config.profiling, program: 'server' }));
  const telemetry = opened.use(await startServerTelemetry(config, given));
  const { metrics, log } = telemetry;
  const env = { ...given, log };
  const clockWatch = opened.use(startClockWatch(env));
  const datastore = countedDatastore(
    await openDatastore(config.datastore, env, opened),
    metrics,
    (id) => registry.agents.get(id) !== undefined,
  );
  signal.throwIfAborted();
  const { trustDomain } = config;
  const registry: Registry = await timedCall(metrics, ENTRY_CACHE_RELOAD, () =>
    createRegistry({ datastore, trustDomain, log }),
  );
  const plugins = await loadServerPlugins(
    {
      plugins: config.plugins,
      nodeAttestorEnv: {
        clock,
        trustDomain,
        joinTokens: datastore.joinTokens,
        x509Authorities: () =>
          registry.bundles.get(trustDomain)?.x509Authorities.map(({ der }) => der) ?? [],
      },
      upstreamAuthorityEnv: { clock, trustDomain, environment: env.environment },
      onSigusr1: env.onSigusr1,
      log,
    },
    opened,
  );
  signal.throwIfAborted();
  const keyManager = countedKeyManager(plugins.keyManager, metrics, 'server');
  const authorities = opened.use(
    await startAuthorities({
      keyManager,
      datastore,
      registry,
      upstream: plugins.upstreamAuthority && { authority: plugins.upstreamAuthority, ...env },
      config,
      metrics,
      clock,
      clockWatch,
      log,
    }),
  );
  signal.throwIfAborted();
  opened.use(watchRegistrySize({ ...registry, metrics, clock }));
  const parts = { telemetry, datastore, registry, plugins, authorities, startedAt };
  const endpoints = await serveApi(parts, config, env, opened);
  opened.use(startUpkeep({ ...registry, ...config, ...env, datastore, metrics, clockWatch }));
  await watchHealth(parts, config, env, opened);
  signal.throwIfAborted();

  const failed = Promise.race([datastore.failed, endpoints.failed]);
  failed.catch(() => undefined); // whoever runs the server listens too
  const running = opened.move();
  return {
    tcpAddress: endpoints.tcpAddress,
    failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** SPIRE's name for reading all entries (`reference/server.md` §12). */
const ENTRY_CACHE_RELOAD = ['entry', 'cache', 'reload'];

const tellConfigured = (config: ServerConfig, log: Log): void => {
  if (config.jwtKeyType === undefined) log.info('JWT-SVID profile is disabled');
  log.info('Configured', {
    admin_ids: logList(config.adminIds.map(String)),
    data_dir: config.dataDir,
    launch_log_level: config.log.level,
    version: SPIRE_VERSION,
  });
};

async function serveApi(
  { telemetry, datastore, registry, plugins, authorities, startedAt }: Parts,
  config: ServerConfig,
  { clock, random, log, logLevels, environment }: ServerEnv,
  opened: AsyncDisposableStack,
): Promise<Pick<Endpoints, 'tcpAddress' | 'failed'>> {
  const { trustDomain, adminIds, auditLogEnabled } = config;
  const { metrics, tracer } = telemetry;
  const issuer = tracedIssuer(authorities.issuer, tracer);
  const svid = opened.use(
    await startServerSvid({
      issuer,
      keyType: config.caKeyType,
      bundle: () => registry.bundles.get(trustDomain),
      metrics,
      clock,
      log,
    }),
  );
  lendSvid(telemetry, svid, registry, { clock });
  const federation = opened.use(
    await startFederation({
      ...registry,
      config: config.federation,
      dataDir: config.dataDir,
      trustDomain,
      svid,
      keyManager: plugins.keyManager,
      environment,
      random,
      clock,
      metrics,
      log,
    }),
  );
  log.info('Logger service configured', { launch_log_level: logLevels.launch });
  const changes = opened.use(new ChangeWatch({ ...registry, trustDomain, clock, random, log }));
  const services = serverServices({
    ...registry,
    issuer,
    trustDomain,
    clock,
    nodeAttestors: plugins.nodeAttestors,
    agentSpiffeIdAsSelector: config.agentIdAsSelector,
    joinTokens: datastore.joinTokens,
    storedBundles: datastore.bundles,
    jwtSvidsDisabled: config.jwtKeyType === undefined,
    witSvidsEnabled: config.witKeyType !== undefined,
    manager: authorities.manager,
    keeper: authorities.keeper,
    publishJwtAuthority: (authority) => authorities.publishJwtAuthority(authority),
    newUuid: randomUUID,
    bundleManager: federation.bundleManager,
    ownChain: () => svid.current().chain,
    startedAt,
    logLevels,
    changes,
  });
  const intercept = tracedCalls(
    createInterceptor({
      ...registry,
      clock,
      log,
      adminIds: new Set(adminIds.map(String)),
      rateLimits: createRateLimits(config.rateLimits, clock),
      policy: await startPolicy(config.policy),
      metrics,
      auditLogEnabled,
      newRequestId: randomUUID,
      programOf,
    }),
    { tracer, isTraced: isTracedByServer, parentOf: traceParentOf },
  );
  const { bundles } = registry;
  const endpoints = opened.use(
    await startEndpoints({
      bindAddress: config.bindAddress,
      bindPort: config.bindPort,
      socketPath: config.socketPath,
      mustNameCaller: auditLogEnabled,
      proxyProtocolTrustedCidrs: config.proxyProtocolTrustedCidrs,
      services,
      intercept,
      svid,
      verifyClient: createClientVerifier({ bundles, trustDomain, adminIds, clock, log }),
      log,
    }),
  );
  // Before the listeners stop: they would wait for agents that only watch.
  opened.defer(() => {
    changes[Symbol.dispose]();
  });
  return {
    tcpAddress: endpoints.tcpAddress,
    failed: Promise.race([endpoints.failed, federation.failed]),
  };
}

async function watchHealth(
  { datastore, authorities }: Parts,
  { trustDomain, socketPath, healthChecks }: ServerConfig,
  { clock, log }: ServerEnv,
  opened: AsyncDisposableStack,
): Promise<void> {
  const storedBundles = datastore.bundles;
  const health = opened.use(
    startHealthChecks({
      checks: serverHealthChecks({ ...authorities, storedBundles, trustDomain, socketPath }),
      clock,
      log,
    }),
  );
  if (healthChecks.listenerEnabled) {
    opened.use(await serveHealth({ settings: healthChecks, checks: health, log }));
  }
}
