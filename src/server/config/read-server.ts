import type { Settings } from '../../base/settings.ts';
import type { KeyAudit } from '../../base/unknown-keys.ts';

/** The texts, numbers and lists of the `server` section, before anything is made of them. */
export type RawServer = ReturnType<typeof readServer>;

/** Reads the section in full, so that all wrong types are found before the first check. */
export function readServer(server: Settings, audit: KeyAudit) {
  audit.refuse('server', server);
  return {
    adminIds: server.strings('admin_ids'),
    agentTtl: server.string('agent_ttl'),
    auditLogEnabled: server.bool('audit_log_enabled'),
    bindAddress: server.string('bind_address'),
    bindPort: server.int('bind_port'),
    caKeyType: server.string('ca_key_type'),
    caSubject: readSubject(server.section('ca_subject'), audit),
    caTtl: server.string('ca_ttl'),
    dataDir: server.string('data_dir'),
    defaultX509SvidTtl: server.string('default_x509_svid_ttl'),
    defaultJwtSvidTtl: server.string('default_jwt_svid_ttl'),
    disableJwtSvids: server.bool('disable_jwt_svids'),
    experimental: readExperimental(server, audit),
    jwtIssuer: server.string('jwt_issuer'),
    jwtKeyType: server.string('jwt_key_type'),
    logFile: server.string('log_file'),
    logFormat: server.string('log_format'),
    logLevel: server.string('log_level'),
    logSourceLocation: server.bool('log_source_location'),
    maxAttestedNodeInfoStaleness: server.string('max_attested_node_info_staleness'),
    profilingEnabled: server.bool('profiling_enabled'),
    profilingFreq: server.int('profiling_freq'),
    profilingNames: server.strings('profiling_names'),
    profilingPort: server.int('profiling_port'),
    proxyProtocolTrustedCidrs: server.strings('proxy_protocol_trusted_cidrs'),
    pruneAttestedNodesBatchSize: server.int('prune_attested_nodes_batch_size'),
    pruneAttestedNodesExpiredFor: server.string('prune_attested_nodes_expired_for'),
    pruneTofuNodes: server.bool('prune_tofu_nodes'),
    rateLimits: readRateLimits(server.section('ratelimit'), audit),
    socketPath: server.string('socket_path'),
    trustDomain: server.string('trust_domain'),
  };
}

function readSubject(section: Settings | undefined, audit: KeyAudit) {
  if (section === undefined) return undefined;
  audit.refuse('ca_subject', section);
  return {
    country: section.strings('country'),
    organization: section.strings('organization'),
    commonName: section.string('common_name'),
  };
}

function readRateLimits(section: Settings | undefined, audit: KeyAudit) {
  audit.refuse('ratelimit', section);
  return {
    attestation: section?.optionalBool('attestation') ?? true,
    signing: section?.optionalBool('signing') ?? true,
  };
}

function readExperimental(server: Settings, audit: KeyAudit) {
  const section = server.section('experimental');
  audit.tolerate('experimental', section);
  const policy = section?.section('auth_opa_policy_engine');
  const text = (key: string): string => section?.string(key) ?? '';
  return {
    settings: section,
    agentSpiffeIdAsSelector: section?.bool('agent_spiffe_id_as_selector') ?? false,
    authOpaPolicyEngine: readPolicy(policy, audit),
    cacheReloadInterval: text('cache_reload_interval'),
    eventTimeout: text('event_timeout'),
    eventsBasedCache: section?.bool('events_based_cache') ?? false,
    featureFlags: section?.strings('feature_flags') ?? [],
    fullCacheReloadInterval: text('full_cache_reload_interval'),
    namedPipeName: text('named_pipe_name'),
    pruneEventsOlderThan: text('prune_events_older_than'),
    requirePqKem: section?.bool('require_pq_kem') ?? false,
    sqlTransactionTimeout: text('sql_transaction_timeout'),
    witIssuer: text('wit_issuer'),
    witKeyType: text('wit_key_type'),
  };
}

function readPolicy(policy: Settings | undefined, audit: KeyAudit) {
  if (policy === undefined) return undefined;
  audit.tolerate('experimental.auth_opa_policy_engine', policy);
  const local = policy.section('local');
  audit.tolerate('experimental.auth_opa_policy_engine.local', local);
  return {
    hasProvider: local !== undefined,
    regoPath: local?.string('rego_path') ?? '',
    wasmPath: local?.string('wasm_path') ?? '',
    policyDataPath: local?.string('policy_data_path') ?? '',
  };
}
