import { dirname, resolve } from 'node:path';
import { attempt, parseSeconds } from '../../base/complaints.ts';
import { formatGoDuration, parseGoDuration } from '../../base/duration.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Problems } from '../../base/problems.ts';
import type { ConfigEnv } from '../../ops/config-env.ts';
import type { Log } from '../../ops/log.ts';
import type { LogSettings } from '../../ops/open-log.ts';
import { profilingSettings } from '../../ops/profiling/profiling-settings.ts';
import { withPostQuantumTls } from '../../ops/telemetry-settings.ts';
import { tellUnknownKeys } from '../../ops/tell-unknown-keys.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { readTrustDomain } from '../../spiffe/trust-domain-setting.ts';
import {
  type AgentConfig,
  type ConfiguredBundleSource,
  type RebootstrapMode,
  rebootstrapModes,
  type WorkloadKeyType,
  workloadKeyTypes,
} from './agent-config.ts';
import { brokerSettings, checkBroker } from './broker.ts';
import type { MergedAgent } from './merge.ts';
import type { RateLimitSettings } from './rate-limits.ts';
import type { AgentReading } from './reading.ts';
import { tellOddities } from './tell-oddities.ts';
import { findUnsupported } from './unsupported.ts';

export type BuildDeps = {
  readonly reading: AgentReading;
  readonly merged: MergedAgent;
  readonly problems: Problems;
  readonly env: Pick<ConfigEnv, 'cwd' | 'readFile'>;
};

/** Checks 27 to 30 of `reference/agent.md` §1.9, the last ones before there is a log. */
export function readTimes({ reading, merged, problems }: BuildDeps) {
  const mode = readMode(merged, problems);
  const delay = merged.rebootstrapDelay;
  const delaySeconds = attempt(
    problems,
    () => parseSeconds(delay.text),
    (reason) => `error parsing rebootstrap delay duration: ${reason}`,
    delay.position,
  );
  const { syncInterval, at } = reading.agent.experimental;
  const syncIntervalSeconds =
    syncInterval === ''
      ? DEFAULT_SYNC_INTERVAL
      : attempt(
          problems,
          () => parseSeconds(syncInterval),
          (reason) => `could not parse synchronization interval: ${reason}`,
          at('sync_interval'),
        ) || DEFAULT_SYNC_INTERVAL;
  return { rebootstrap: { mode, delaySeconds: delaySeconds ?? 0 }, syncIntervalSeconds };
}

const DEFAULT_SYNC_INTERVAL = 5;

function readMode(merged: MergedAgent, problems: Problems): RebootstrapMode {
  const { text, position } = merged.rebootstrapMode;
  const mode = rebootstrapModes.find((known) => known === text);
  if (mode === undefined) problems.add(`unknown rebootstrap mode specified: ${text}`, position);
  else if (mode !== 'never' && merged.insecureBootstrap) {
    problems.add('insecure_bootstrap option can not be used with rebootstrapping', position);
  }
  return mode ?? 'never';
}

export type FinishDeps = BuildDeps & {
  readonly log: Log;
  readonly logSettings: LogSettings;
  readonly times: ReturnType<typeof readTimes>;
};

/** Checks 33 and on, in SPIRE's order. Throws a ConfigFault if anything is wrong. */
export async function buildAgentConfig(deps: FinishDeps): Promise<AgentConfig> {
  const { reading, merged, problems, log, logSettings, times, env } = deps;
  const { agent } = reading;
  const jwtSvidCacheHitTimeoutSeconds = readCacheHitTimeout(deps);
  const sizes = readCacheSizes(deps);
  const trustDomain = readTrustDomain(merged.trustDomain, problems, log);
  const socketPath = resolve(env.cwd, merged.socketPath);
  const publicEndpoint = !(merged.disableWorkloadApi && merged.disableSdsApi);
  const besidePublicSocket = (path: string): boolean =>
    publicEndpoint && resolve(env.cwd, path).startsWith(`${dirname(socketPath)}/`);
  checkAdminSocket(deps, besidePublicSocket);
  const joinToken = await readJoinToken(deps);
  const workloadKeyType = readKeyType(deps);
  for (const { text, position } of reading.pluginProblems.all) problems.add(text, position);
  tellUnknownKeys(reading.audit, problems, log);
  const authorizedDelegates = readDelegates(deps, trustDomain);
  if (agent.experimental.broker !== undefined) {
    checkBroker(agent.experimental.broker, besidePublicSocket, problems);
  }
  const availabilityTargetSeconds = readAvailabilityTarget(deps);
  checkRateLimits(deps);
  if (problems.none) tellOddities(deps);
  problems.throwIfAny();
  if (trustDomain === undefined) throw new Error('unreachable: a problem without a complaint');
  const plugins = (reading.plugins ?? []).filter(({ enabled }) => enabled);
  return Object.freeze({
    trustDomain,
    configuredTrustDomain: merged.trustDomain.text,
    serverAddress: merged.serverAddress,
    serverPort: merged.serverPort.value,
    dataDir: merged.dataDir,
    log: logSettings,
    profiling: profilingSettings(agent, env),
    logSelectors: agent.logSelectors,
    socketPath,
    adminSocketPath:
      agent.adminSocketPath === '' ? undefined : resolve(env.cwd, agent.adminSocketPath),
    workloadApiEnabled: !merged.disableWorkloadApi,
    sdsApiEnabled: !merged.disableSdsApi,
    sds: agent.sds,
    authorizedDelegates,
    joinToken,
    bundleSource: bundleSource(deps),
    requirePostQuantum: agent.experimental.requirePqKem,
    keepSvidsOnDisk: agent.experimental.keepSvidsOnDisk,
    ...times,
    useSyncAuthorizedEntries: agent.experimental.useSyncAuthorizedEntries ?? true,
    workloadKeyType,
    availabilityTargetSeconds,
    ...sizes,
    jwtSvidCacheHitTimeoutSeconds,
    allowUnauthenticatedVerifiers: merged.allowUnauthenticatedVerifiers,
    allowedForeignJwtClaims: agent.allowedForeignJwtClaims,
    rateLimits: rateLimits(agent.experimental.rateLimits),
    broker: agent.experimental.broker && brokerSettings(agent.experimental.broker, env.cwd),
    plugins,
    telemetry: agent.experimental.requirePqKem
      ? withPostQuantumTls(reading.telemetry)
      : reading.telemetry,
    healthChecks: reading.healthChecks,
    featureFlags: agent.experimental.featureFlags,
    unsupported: findUnsupported(plugins, reading.telemetry),
  });
}

const SECOND = 1_000_000_000n;
const HIT_TIMEOUT_AT_LEAST = 5n * SECOND;
const HIT_TIMEOUT_BELOW = 30n * SECOND;
const DEFAULT_HIT_TIMEOUT_SECONDS = 30;

function readCacheHitTimeout({ reading, problems, log }: FinishDeps): number {
  const { jwtSvidCacheHitTimeout: text, at } = reading.agent.experimental;
  if (text === '') return DEFAULT_HIT_TIMEOUT_SECONDS;
  const position = at('jwt_svid_cache_hit_timeout');
  const timeout = attempt(
    problems,
    () => parseGoDuration(text),
    (reason) => `could not parse jwt_svid_cache_hit_timeout: ${reason}`,
    position,
  );
  if (timeout === undefined) return DEFAULT_HIT_TIMEOUT_SECONDS;
  const shown = `jwt_svid_cache_hit_timeout (${formatGoDuration(timeout)})`;
  if (timeout < HIT_TIMEOUT_AT_LEAST) problems.add(`${shown} must be greater than 5s`, position);
  else if (timeout >= HIT_TIMEOUT_BELOW) problems.add(`${shown} must be less than 30s`, position);
  else log.warn("The use of 'jwt_svid_cache_hit_timeout' is experimental");
  return Number(timeout) / Number(SECOND);
}

const DEFAULT_CACHE_SIZE = 1000;

function readCacheSizes({ reading, problems }: FinishDeps) {
  const { agent, at } = reading;
  const size = (value: number, key: string): number => {
    if (value < 0) problems.add(`${key} should not be negative`, at(key));
    return value || DEFAULT_CACHE_SIZE;
  };
  return {
    x509SvidCacheMaxSize: size(agent.x509SvidCacheMaxSize, 'x509_svid_cache_max_size'),
    jwtSvidCacheMaxSize: size(agent.jwtSvidCacheMaxSize, 'jwt_svid_cache_max_size'),
  };
}

function checkAdminSocket(
  { reading, problems }: FinishDeps,
  besidePublicSocket: (path: string) => boolean,
): void {
  const { adminSocketPath } = reading.agent;
  if (adminSocketPath !== '' && besidePublicSocket(adminSocketPath)) {
    problems.add(
      'admin socket cannot be in the same directory or a subdirectory as that containing the Workload API socket',
      reading.at('admin_socket_path'),
    );
  }
}

async function readJoinToken({ merged, problems, env }: FinishDeps): Promise<string> {
  const { text: path, position } = merged.joinTokenFile;
  if (path === '' || merged.joinToken.text !== '') return merged.joinToken.text;
  try {
    const token = Buffer.from(await env.readFile(resolve(env.cwd, path)))
      .toString('utf8')
      .trim();
    if (token === '') problems.add('join token file is empty', position);
    return token;
  } catch (error) {
    problems.add(
      `unable to read join token file ${goQuote(path)}: ${reasonOf(goFileError('open', path, error))}`,
      position,
    );
    return '';
  }
}

function readKeyType({ reading, problems }: FinishDeps): WorkloadKeyType {
  const text = reading.agent.workloadX509SvidKeyType;
  if (text === '') return 'ec-p256';
  const type = workloadKeyTypes.find((known) => known === text.toLowerCase());
  if (type === undefined) {
    problems.add(
      `key type ${goQuote(text)} is unknown; must be one of [${workloadKeyTypes.join(', ')}]`,
      reading.at('workload_x509_svid_key_type'),
    );
  }
  return type ?? 'ec-p256';
}

function readDelegates(
  { reading, problems }: FinishDeps,
  trustDomain: TrustDomain | undefined,
): readonly SpiffeId[] {
  if (trustDomain === undefined) return [];
  return reading.agent.authorizedDelegates.flatMap((text) => {
    const id = attempt(
      problems,
      () => memberOf(trustDomain, text),
      (reason) => `error validating authorized delegate: ${reason}`,
      reading.at('authorized_delegates'),
    );
    return id === undefined ? [] : [id];
  });
}

function memberOf(trustDomain: TrustDomain, text: string): SpiffeId {
  const id = SpiffeId.parse(text);
  if (!id.memberOf(trustDomain)) {
    const who = `SPIFFE ID ${goQuote(id.toString())}`;
    throw new Fault(
      'invalid',
      `${who} is not a member of trust domain ${goQuote(trustDomain.name)}`,
    );
  }
  return id;
}

const MIN_AVAILABILITY_TARGET = 24 * 3600;

function readAvailabilityTarget({ reading, problems }: FinishDeps): number {
  const text = reading.agent.availabilityTarget;
  if (text === '') return 0;
  const position = reading.at('availability_target');
  const seconds = attempt(
    problems,
    () => parseSeconds(text),
    (reason) => `unable to parse availability_target: ${reason}`,
    position,
  );
  if (seconds !== undefined && seconds < MIN_AVAILABILITY_TARGET) {
    problems.add('availability_target must be at least 24h0m0s', position);
  }
  return seconds ?? 0;
}

function checkRateLimits({ reading, problems }: FinishDeps): void {
  for (const { key, limit, position } of reading.agent.experimental.rateLimits) {
    if (limit < 0) problems.add(`experimental.ratelimit.${key} must not be negative`, position);
  }
}

const rateLimits = (
  settings: FinishDeps['reading']['agent']['experimental']['rateLimits'],
): RateLimitSettings =>
  Object.fromEntries(settings.map(({ key, limit }) => [key, limit])) as RateLimitSettings;

function bundleSource({ reading, merged, env }: FinishDeps): ConfiguredBundleSource {
  const { agent } = reading;
  const format = merged.trustBundleFormat.text === 'spiffe' ? 'spiffe' : 'pem';
  const socket = agent.trustBundleUnixSocket;
  if (agent.trustBundleSpiffeWorkloadApi !== '') {
    return { kind: 'workload-api', address: agent.trustBundleSpiffeWorkloadApi };
  }
  if (merged.trustBundleUrl.text !== '') {
    return {
      kind: 'url',
      url: merged.trustBundleUrl.text,
      format,
      unixSocket: socket === '' ? undefined : resolve(env.cwd, socket),
    };
  }
  if (merged.trustBundlePath.text !== '') {
    return { kind: 'path', path: merged.trustBundlePath.text, format };
  }
  return { kind: 'insecure' };
}
