import { resolve } from 'node:path';
import { attempt, parsePositiveSeconds, parseSeconds } from '../../base/complaints.ts';
import { reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Position } from '../../base/hcl/position.ts';
import type { Problems } from '../../base/problems.ts';
import { joinHostPort, resolveBindAddress } from '../../base/resolve-address.ts';
import { type KeyType, keyTypes } from '../../crypto/keys.ts';
import type { ConfigEnv } from '../../ops/config-env.ts';
import type { Log } from '../../ops/log.ts';
import type { LogSettings } from '../../ops/open-log.ts';
import { profilingSettings } from '../../ops/profiling/profiling-settings.ts';
import { withPostQuantumTls } from '../../ops/telemetry-settings.ts';
import { tellUnknownKeys } from '../../ops/tell-unknown-keys.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { Subject } from '../../spiffe/subject.ts';
import { readTrustDomain } from '../../spiffe/trust-domain-setting.ts';
import type { PolicySettings } from '../policy/open-policy.ts';
import { readDatastores } from './datastore.ts';
import { buildFederation } from './federation.ts';
import type { MergedServer } from './merge.ts';
import type { ServerReading } from './reading.ts';
import type { NodePruning, ServerConfig } from './server-config.ts';
import { warnOfLongTtl } from './ttl-warnings.ts';
import { findUnsupported } from './unsupported.ts';

export type BuildDeps = {
  readonly reading: ServerReading;
  readonly merged: MergedServer;
  readonly problems: Problems;
  readonly log: Log;
  readonly logSettings: LogSettings;
  readonly env: Pick<ConfigEnv, 'cwd' | 'resolveHost'>;
};

/**
 * Makes the configuration of what was read, in SPIRE's order (`reference/cli.md` §4.3), which decides what it
 * complains of first. Throws a ConfigFault if anything is wrong.
 */
export async function buildServerConfig(deps: BuildDeps): Promise<ServerConfig> {
  const { reading, merged, problems, log, logSettings, env } = deps;
  const { server, pluginProblems } = reading;
  const { experimental } = server;
  const bindAddress = await readBindAddress(deps);
  const trustDomain = readTrustDomain(merged.trustDomain, problems, log);
  const federation = buildFederation(reading.federation, trustDomain, problems, log);
  checkStaleness(deps);
  const adminIds = readAdminIds(deps);
  const ttls = readTtls(deps);
  const types = readKeyTypes(deps);
  const caSubject = readCaSubject(deps);
  for (const { text, position } of pluginProblems.all) problems.add(text, position);
  const plugins = reading.plugins ?? [];
  const nodePruning = readNodePruning(deps);
  tellUnknownKeys(reading.audit, problems, log);
  const pruneEventsOlderThanSeconds = readEventDurations(deps);
  if (problems.none) {
    warnOfExperiments(deps);
    tellWithoutEffect(deps);
  }

  const datastore = readDatastores(plugins.filter(({ type }) => type === 'DataStore'));
  const enabled = plugins.filter(({ type, enabled }) => enabled && type !== 'DataStore');
  problems.throwIfAny();
  if (trustDomain === undefined) throw new Error('unreachable: a problem without a complaint');
  return Object.freeze({
    trustDomain,
    dataDir: merged.dataDir.text,
    bindAddress,
    bindPort: merged.bindPort.value,
    socketPath: resolve(env.cwd, merged.socketPath),
    log: logSettings,
    proxyProtocolTrustedCidrs: server.proxyProtocolTrustedCidrs,
    profiling: profilingSettings(server, env),
    auditLogEnabled: server.auditLogEnabled,
    adminIds,
    rateLimits: server.rateLimits,
    policy: policySettings(deps),
    ...ttls,
    ...types,
    caSubject,
    jwtIssuer: server.jwtIssuer || undefined,
    witIssuer: experimental.witIssuer || undefined,
    agentIdAsSelector: experimental.agentSpiffeIdAsSelector,
    federation,
    nodePruning,
    pruneEventsOlderThanSeconds,
    datastore,
    plugins: enabled,
    telemetry: experimental.requirePqKem
      ? withPostQuantumTls(reading.telemetry)
      : reading.telemetry,
    healthChecks: reading.healthChecks,
    featureFlags: experimental.featureFlags,
    unsupported: findUnsupported(server, datastore, enabled, reading.telemetry),
  });
}

async function readBindAddress({ merged, problems, env }: BuildDeps): Promise<string> {
  const { bindAddress, bindPort } = merged;
  const host = bindAddress.text.replace(/^\[|\]$/g, '');
  try {
    return await resolveBindAddress(host, bindPort.value, env.resolveHost);
  } catch (error) {
    const address = joinHostPort(host, bindPort.value);
    problems.add(
      `could not resolve bind address ${goQuote(address)}: ${reasonOf(error)}`,
      bindAddress.position ?? bindPort.position,
    );
    return host;
  }
}

/** How old our knowledge of a node may be; our registry knows of every change at once, so no value changes anything. */
function checkStaleness({ reading, problems }: BuildDeps): void {
  const text = reading.server.maxAttestedNodeInfoStaleness;
  if (text === '') return;
  attempt(
    problems,
    () => parseSeconds(text),
    (reason) => `could not parse max attested node staleness ${goQuote(text)}: ${reason}`,
    reading.at('max_attested_node_info_staleness'),
  );
}

/** Relative to where the server is started, as in SPIRE. */
function policySettings({ reading, env }: BuildDeps): PolicySettings | undefined {
  const { wasmPath, policyDataPath } = reading.server.experimental.authOpaPolicyEngine ?? {};
  if (wasmPath === undefined || wasmPath === '') return undefined;
  return {
    wasmPath: resolve(env.cwd, wasmPath),
    dataPath: policyDataPath ? resolve(env.cwd, policyDataPath) : undefined,
  };
}

const readAdminIds = ({ reading, problems }: BuildDeps): readonly SpiffeId[] =>
  reading.server.adminIds.flatMap((text) => {
    const id = attempt(
      problems,
      () => SpiffeId.parse(text),
      (reason) => `could not parse admin ID ${goQuote(text)}: ${reason}`,
      reading.at('admin_ids'),
    );
    return id === undefined ? [] : [id];
  });

const DEFAULT_CA_TTL = 24 * 3600;
const DEFAULT_X509_SVID_TTL = 3600;
const DEFAULT_JWT_SVID_TTL = 300;

function readTtls({ reading, problems, log }: BuildDeps) {
  const { server, at } = reading;
  const ttl = (text: string, key: string, what: string, initial: number): number => {
    if (text === '') return initial;
    const words = (reason: string) => `could not parse ${what} ttl ${goQuote(text)}: ${reason}`;
    return attempt(problems, () => parsePositiveSeconds(text), words, at(key)) || initial;
  };
  const agent = ttl(server.agentTtl, 'agent_ttl', 'agent', 0);
  const x509 = ttl(
    server.defaultX509SvidTtl,
    'default_x509_svid_ttl',
    'default X509 SVID',
    DEFAULT_X509_SVID_TTL,
  );
  const jwt = ttl(
    server.defaultJwtSvidTtl,
    'default_jwt_svid_ttl',
    'default JWT SVID',
    DEFAULT_JWT_SVID_TTL,
  );
  const ca = ttl(server.caTtl, 'ca_ttl', 'default CA', DEFAULT_CA_TTL);
  if (problems.none) {
    warnOfLongTtl(log, 'default_x509_svid_ttl', x509, ca);
    warnOfLongTtl(log, 'default_jwt_svid_ttl', jwt, ca);
    if (agent > 0) warnOfLongTtl(log, 'agent_ttl', agent, ca);
  }
  return {
    caTtlSeconds: ca,
    x509SvidTtlSeconds: x509,
    jwtSvidTtlSeconds: jwt,
    agentTtlSeconds: agent || x509,
  };
}

const KEY_TYPE_NAMES = 'rsa-2048, rsa-4096, ec-p256, ec-p384';

function readKeyTypes({ reading, problems, log }: BuildDeps) {
  const { server, at, atExperimental } = reading;
  const { experimental } = server;
  const keyType = (text: string, key: string, initial: KeyType, position?: Position): KeyType => {
    if (text === '') return initial;
    const name = text.toLowerCase();
    if (Object.hasOwn(keyTypes, name)) return name as KeyType;
    problems.add(
      `error parsing ${key}: key type ${goQuote(text)} is unknown; must be one of [${KEY_TYPE_NAMES}]`,
      position,
    );
    return initial;
  };
  const ca = keyType(server.caKeyType, 'ca_key_type', 'ec-p256', at('ca_key_type'));
  const jwt = keyType(server.jwtKeyType, 'jwt_key_type', ca, at('jwt_key_type'));
  const wit = keyType(experimental.witKeyType, 'wit_key_type', ca, atExperimental('wit_key_type'));
  if (server.disableJwtSvids) log.info('JWT-SVID profile is disabled');
  return {
    caKeyType: ca,
    jwtKeyType: server.disableJwtSvids ? undefined : jwt,
    witKeyType: experimental.featureFlags.includes('wit-svid') ? wit : undefined,
  };
}

const DEFAULT_CA_SUBJECT: Subject = { C: ['US'], O: ['SPIFFE'] };

function readCaSubject({ reading, log }: BuildDeps): Subject {
  const { caSubject } = reading.server;
  if (caSubject === undefined) return DEFAULT_CA_SUBJECT;
  const { country, organization, commonName } = caSubject;
  const subject: Subject = {
    ...(country.length > 0 && { C: country }),
    ...(organization.length > 0 && { O: organization }),
    ...(commonName !== '' && { CN: [commonName] }),
  };
  if (Object.keys(subject).length > 0) return subject;
  log.warn('ca_subject configurable is set but empty; the default will be used');
  return DEFAULT_CA_SUBJECT;
}

const DEFAULT_PRUNE_BATCH_SIZE = 1000;

function readNodePruning({ reading, problems }: BuildDeps): NodePruning | undefined {
  const { server, at } = reading;
  const text = server.pruneAttestedNodesExpiredFor;
  if (text === '') return undefined;
  const expiredForSeconds = attempt(
    problems,
    () => parseSeconds(text),
    (reason) => `could not parse prune_attested_nodes_expired_for: ${reason}`,
    at('prune_attested_nodes_expired_for'),
  );
  if (expiredForSeconds === undefined) return undefined;
  const size = server.pruneAttestedNodesBatchSize;
  return {
    expiredForSeconds,
    batchSize: size > 0 ? size : DEFAULT_PRUNE_BATCH_SIZE,
    includeTofu: server.pruneTofuNodes,
  };
}

const DEFAULT_CACHE_RELOAD = 5;
const DEFAULT_FULL_CACHE_RELOAD = 24 * 3600;
const DEFAULT_PRUNE_EVENTS = 12 * 3600;

/** Of these only the pruning has a meaning here: our registry learns of every change as it happens. */
function readEventDurations({ reading, problems, log }: BuildDeps): number {
  const { experimental } = reading.server;
  const duration = (text: string, key: string, what: string, initial: number): number => {
    if (text === '') return initial;
    const words = (reason: string) => `could not parse ${what} interval: ${reason}`;
    return (
      attempt(problems, () => parseSeconds(text), words, reading.atExperimental(key)) || initial
    );
  };
  const reload = duration(
    experimental.cacheReloadInterval,
    'cache_reload_interval',
    'cache reload',
    DEFAULT_CACHE_RELOAD,
  );
  const fullReload = duration(
    experimental.fullCacheReloadInterval,
    'full_cache_reload_interval',
    'full cache reload',
    DEFAULT_FULL_CACHE_RELOAD,
  );
  if (fullReload <= reload) {
    problems.add(
      'full cache reload interval must be greater than cache reload interval',
      reading.atExperimental('full_cache_reload_interval') ??
        reading.atExperimental('cache_reload_interval'),
    );
  }
  const pruneOlderThan = duration(
    experimental.pruneEventsOlderThan,
    'prune_events_older_than',
    'prune events',
    DEFAULT_PRUNE_EVENTS,
  );
  if (experimental.sqlTransactionTimeout !== '') {
    log.warn('experimental.sql_transaction_timeout is deprecated; use event_timeout', {
      alert: true,
      alert_type: 'deprecated_config',
    });
  }
  duration(
    experimental.sqlTransactionTimeout,
    'sql_transaction_timeout',
    'SQL transaction timeout',
    0,
  );
  duration(experimental.eventTimeout, 'event_timeout', 'event timeout', 0);
  if (experimental.eventsBasedCache) log.info('Using events based cache');
  return pruneOlderThan;
}

/** Keys about how soon SPIRE's server learns of changes: ours knows of each as it happens (docs/server.md). */
function tellWithoutEffect({ reading, log }: BuildDeps): void {
  const { at, atExperimental } = reading;
  const experimental = [
    'cache_reload_interval',
    'full_cache_reload_interval',
    'events_based_cache',
    'event_timeout',
    'sql_transaction_timeout',
  ].filter((key) => atExperimental(key) !== undefined);
  const staleness = 'max_attested_node_info_staleness';
  const keys = [...(at(staleness) === undefined ? [] : [staleness]), ...experimental];
  if (keys.length === 0) return;
  log.info('Keys without effect: changes are known at once', { keys: keys.join(',') });
}

function warnOfExperiments({ reading, log }: BuildDeps): void {
  const { settings, featureFlags } = reading.server.experimental;
  if (settings !== undefined && !settings.isEmpty) {
    log.warn(
      'Experimental features have been enabled. Please see doc/upgrading.md for upgrade and compatibility considerations for experimental features.',
    );
  }
  for (const flag of featureFlags) {
    log.warn(`Developer feature flag "${flag}" has been enabled`);
  }
}
