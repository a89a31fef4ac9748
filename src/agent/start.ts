import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { OnSignal } from '../base/signals.ts';
import type { LevelControl } from '../ops/level-control.ts';
import type { Log } from '../ops/log.ts';
import { startProfiling } from '../ops/profiling/start-profiling.ts';
import type { Telemetry } from '../ops/telemetry/start-telemetry.ts';
import { SPIRE_VERSION } from '../ops/version.ts';
import { countedKeyManager } from '../plugins/key-manager/counted-key-manager.ts';
import { reflectionServices } from '../rpc/reflection.ts';
import type { BoundService } from '../rpc/service.ts';
import { checkSocketFree, checkSocketPath } from '../rpc/unix-socket.ts';
import { requireBrokers } from './broker/settings.ts';
import type { AgentConfig } from './config.ts';
import { type AgentCore, type AgentCoreOptions, startCore } from './core.ts';
import { agentHealth } from './endpoint/agent-health.ts';
import { testWorkloadApi, watchHealth } from './endpoint/health-probes.ts';
import { type PublicEndpointOptions, servePublicEndpoint } from './endpoint/public-endpoint.ts';
import { createRateLimits } from './endpoint/rate-limits.ts';
import { makeSocketFolder } from './endpoint/socket-folder.ts';
import { type AttestWorkload, createWorkloadAttestation } from './endpoint/workload-attestation.ts';
import { createRefusalFacts } from './explain/refusal-facts.ts';
import { type AgentPlugins, loadAgentPlugins } from './load-plugins.ts';
import { newNonce } from './sds/new-nonce.ts';
import { secretDiscovery } from './sds/service.ts';
import { type AgentDataFile, openAgentData } from './storage/agent-data-file.ts';
import { tellingBootstrap } from './storage/bootstrap-metrics.ts';
import { lendSvid, startAgentTelemetry } from './telemetry.ts';
import { tracedAttestation, tracedAttestors, tracedIdentities } from './tracing.ts';
import type { CallDeps, WorkloadCall } from './workload-api/call.ts';
import type { WorkloadApiDeps } from './workload-api/deps.ts';
import { workloadApi } from './workload-api/service.ts';

/** What an agent needs of the world around it. */
export type AgentEnv = {
  readonly log: Log;
  readonly logLevels: LevelControl;
  readonly clock: Clock;
  /** SIGUSR1: plugins read their files again. */
  readonly onSigusr1: OnSignal;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Environment variables; those that name proxies are used. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends the start when it aborts, attestation and its waits included; `startAgent` then rejects with its reason. */
  readonly signal: AbortSignal;
};

/** Disposing stops it: nothing is served, synchronised or renewed any more. */
export interface RunningAgent extends AsyncDisposable {
  /** Rejects when the agent must end, with what SPIRE's agent would end with. Never resolves. */
  readonly failed: Promise<never>;
}

/**
 * Attests (or finds that it need not), synchronises, and serves the public socket: then it resolves. A start that
 * fails undoes itself.
 */
export async function startAgent(config: AgentConfig, given: AgentEnv): Promise<RunningAgent> {
  if (config.unsupported.length > 0) {
    throw new Fault('unimplemented', config.unsupported.join('\n'));
  }
  // Before anything is done that cannot be undone: a join token is good for one agent.
  requireBrokers(config.broker);
  for (const path of socketsOf(config)) {
    checkSocketPath(path);
    await checkSocketFree(path);
  }
  await makeRestrictedFolders(config, given.log);
  const startedAt = given.clock.now();
  given.log.info('Starting agent', { data_dir: config.dataDir, version: SPIRE_VERSION });
  await using opened = new AsyncDisposableStack();
  opened.use(await startProfiling({ ...given, settings: config.profiling, program: 'agent' }));
  const telemetry = opened.use(await startAgentTelemetry(config, given));
  const { metrics, tracer } = telemetry;
  const env = { ...given, log: telemetry.log };
  const storage = tellingBootstrap(await openAgentData(config.dataDir), metrics);
  const plugins = await loadAgentPlugins(config, env, opened);
  const health = opened.use(watchHealth({ ...env, settings: config.healthChecks }));
  const options = coreOptions(config, env, telemetry, plugins, storage);
  const core = opened.use(await startCore(options, env.signal));
  lendSvid(telemetry, core, env);
  const { failed, stop } = keepRunning(core);
  opened.defer(stop);
  const attest = tracedAttestation(
    createWorkloadAttestation({
      attestors: tracedAttestors(plugins.workloadAttestors, tracer),
      ownPid: process.pid,
      metrics,
      log: env.log.child({ subsystem_name: 'workload_attestor' }),
    }),
    tracer,
  );
  const local = { ...env, ...core, config, attest, metrics };
  const { workloadAttestors: attestors } = plugins;
  // Loaded where they are wanted only: each agent counts what it keeps in memory.
  if (config.adminSocketPath !== undefined) {
    const { startAdmin } = await import('./admin/start-admin.ts');
    opened.use(await startAdmin({ ...local, attestors, startedAt }));
  }
  if (config.broker !== undefined) {
    const { startBroker } = await import('./broker/start-broker.ts');
    opened.use(await startBroker(local));
  }
  if (hasPublicEndpoint(config)) {
    const endpoint = publicEndpoint(config, env, telemetry, core, attest);
    opened.use(await servePublicEndpoint(endpoint.options));
    health.started(endpoint.test);
  } else {
    env.log.info('Skipping agent APIs because public endpoint is disabled', {
      apis: 'Workload and SDS APIs',
    });
    health.started(async () => {});
  }
  env.signal.throwIfAborted();
  const running = opened.move();
  return { failed, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const coreOptions = (
  config: AgentConfig,
  env: AgentEnv,
  { metrics, tracer }: Telemetry,
  plugins: AgentPlugins,
  storage: AgentDataFile,
): AgentCoreOptions => ({
  ...config,
  ...plugins,
  keyManager: countedKeyManager(plugins.keyManager, metrics, 'agent'),
  serverHost: config.serverAddress,
  rebootstrap: {
    mode: config.rebootstrap.mode,
    delayMilliseconds: config.rebootstrap.delaySeconds * 1000,
  },
  dataDirectory: config.dataDir,
  storage,
  workloadX509SvidKeyType: config.workloadKeyType,
  syncIntervalMilliseconds: config.syncIntervalSeconds * 1000,
  jwtSvidCacheHitTimeoutMilliseconds: config.jwtSvidCacheHitTimeoutSeconds * 1000,
  version: SPIRE_VERSION,
  metrics,
  tracer,
  clock: env.clock,
  random: env.random,
  environment: env.environment,
  log: env.log,
});

/** Of the sockets that are not for everybody; who starts us has made that of the other one. */
async function makeRestrictedFolders(
  { adminSocketPath, broker }: AgentConfig,
  log: Log,
): Promise<void> {
  for (const [path, what] of [
    [adminSocketPath, 'admin'],
    [broker?.socketPath, 'broker'],
  ] as const) {
    if (path !== undefined) {
      await makeSocketFolder(path, 0o755, `Creating ${what} UDS directory`, log);
    }
  }
}

const socketsOf = (config: AgentConfig): readonly string[] =>
  [
    hasPublicEndpoint(config) ? config.socketPath : undefined,
    config.adminSocketPath,
    config.broker?.socketPath,
  ].filter((path) => path !== undefined);

const hasPublicEndpoint = ({ workloadApiEnabled, sdsApiEnabled }: AgentConfig): boolean =>
  workloadApiEnabled || sdsApiEnabled;

const namesOfApis = ({ workloadApiEnabled, sdsApiEnabled }: AgentConfig): string => {
  if (workloadApiEnabled) return sdsApiEnabled ? 'Workload and SDS APIs' : 'Workload API';
  return 'SDS API';
};

function keepRunning(core: AgentCore): { failed: Promise<never>; stop: () => Promise<void> } {
  const stopping = new AbortController();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined); // whoever waits for it is told
  const run = core.run(stopping.signal).catch(reject);
  const stop = async () => {
    stopping.abort(new Fault('canceled', 'the agent is stopping'));
    await run;
  };
  return { failed, stop };
}

function publicEndpoint(
  config: AgentConfig,
  { clock, log: agentLog }: AgentEnv,
  { metrics, tracer }: Telemetry,
  core: AgentCore,
  attest: AttestWorkload,
) {
  const log = agentLog.child({ subsystem_name: 'endpoints' });
  const { status } = core;
  const identities = tracedIdentities(core.identities, tracer);
  const calls: CallDeps = {
    attest,
    rateLimits: createRateLimits(config.rateLimits, { clock, metrics, log }),
    ownPid: process.pid,
    log,
  };
  const refusalFacts = createRefusalFacts({ ...config, status, clock });
  const witSvids = config.featureFlags.includes('wit-svid');
  const api: WorkloadApiDeps = { ...config, identities, clock, refusalFacts, witSvids };
  const offered: BoundService<WorkloadCall>[] = [
    ...(config.workloadApiEnabled ? [workloadApi(api)] : []),
    ...(config.sdsApiEnabled ? [secretDiscovery({ ...config, identities, newNonce })] : []),
    agentHealth({ calls, workloadApi: config.workloadApiEnabled ? api : undefined, log }),
  ];
  const options: PublicEndpointOptions = {
    socketPath: config.socketPath,
    services: [...offered, ...reflectionServices<WorkloadCall>(offered.map(({ desc }) => desc))],
    calls,
    metrics,
    tracer,
    clock,
    log,
    apis: namesOfApis(config),
  };
  const test = async () => {
    if (config.workloadApiEnabled) await testWorkloadApi(calls, api);
  };
  return { options, test };
}
