import type { Settings } from '../../base/settings.ts';
import type { KeyAudit } from '../../base/unknown-keys.ts';
import { rateLimitKeys } from './rate-limits.ts';

/** The texts, numbers and lists of the `agent` section, before anything is made of them. */
export type RawAgent = ReturnType<typeof readAgent>;

/** Reads the section in full, so that all wrong types are found before the first check. */
export function readAgent(agent: Settings, audit: KeyAudit) {
  audit.refuse('agent', agent);
  return {
    adminSocketPath: agent.string('admin_socket_path'),
    allowUnauthenticatedVerifiers: agent.bool('allow_unauthenticated_verifiers'),
    allowedForeignJwtClaims: agent.strings('allowed_foreign_jwt_claims'),
    authorizedDelegates: agent.strings('authorized_delegates'),
    availabilityTarget: agent.string('availability_target'),
    dataDir: agent.string('data_dir'),
    disableSdsApi: agent.bool('disable_sds_api'),
    disableWorkloadApi: agent.bool('disable_workload_api'),
    experimental: readExperimental(agent, audit),
    insecureBootstrap: agent.bool('insecure_bootstrap'),
    joinToken: agent.string('join_token'),
    joinTokenFile: agent.string('join_token_file'),
    jwtSvidCacheMaxSize: agent.int('jwt_svid_cache_max_size'),
    logFile: agent.string('log_file'),
    logFormat: agent.string('log_format'),
    logLevel: agent.string('log_level'),
    logSelectors: agent.strings('log_selectors'),
    logSourceLocation: agent.bool('log_source_location'),
    profilingEnabled: agent.bool('profiling_enabled'),
    profilingFreq: agent.int('profiling_freq'),
    profilingNames: agent.strings('profiling_names'),
    profilingPort: agent.int('profiling_port'),
    rebootstrapDelay: agent.string('rebootstrap_delay'),
    rebootstrapMode: agent.string('rebootstrap_mode'),
    sds: readSds(agent.section('sds'), audit),
    serverAddress: agent.string('server_address'),
    serverPort: agent.int('server_port'),
    socketPath: agent.string('socket_path'),
    trustBundleFormat: agent.string('trust_bundle_format'),
    trustBundlePath: agent.string('trust_bundle_path'),
    trustBundleSpiffeWorkloadApi: agent.string('trust_bundle_spiffe_workload_api'),
    trustBundleUnixSocket: agent.string('trust_bundle_unix_socket'),
    trustBundleUrl: agent.string('trust_bundle_url'),
    trustDomain: agent.string('trust_domain'),
    workloadX509SvidKeyType: agent.string('workload_x509_svid_key_type'),
    x509SvidCacheMaxSize: agent.int('x509_svid_cache_max_size'),
  };
}

function readSds(section: Settings | undefined, audit: KeyAudit) {
  audit.tolerate('sds', section);
  const text = (key: string, initial: string): string => section?.string(key) || initial;
  return {
    defaultSvidName: text('default_svid_name', 'default'),
    defaultBundleName: text('default_bundle_name', 'ROOTCA'),
    defaultAllBundlesName: text('default_all_bundles_name', 'ALL'),
    disableSpiffeCertValidation: section?.bool('disable_spiffe_cert_validation') ?? false,
  };
}

function readExperimental(agent: Settings, audit: KeyAudit) {
  const section = agent.section('experimental');
  audit.tolerate('experimental', section);
  const rateLimits = section?.section('ratelimit');
  audit.refuse('ratelimit', rateLimits);
  const broker = section?.section('broker');
  const text = (key: string): string => section?.string(key) ?? '';
  return {
    adminNamedPipeName: text('admin_named_pipe_name'),
    at: (key: string) => section?.positionOf(key),
    broker: broker && readBroker(broker, audit),
    featureFlags: section?.strings('feature_flags') ?? [],
    jwtSvidCacheHitTimeout: text('jwt_svid_cache_hit_timeout'),
    keepSvidsOnDisk: section?.bool('keep_svids_on_disk') ?? false,
    namedPipeName: text('named_pipe_name'),
    rateLimits: rateLimitKeys.map((key) => ({
      key,
      limit: rateLimits?.int(key) ?? 0,
      position: rateLimits?.positionOf(key),
    })),
    requirePqKem: section?.bool('require_pq_kem') ?? false,
    syncInterval: text('sync_interval'),
    useSyncAuthorizedEntries: section?.optionalBool('use_sync_authorized_entries'),
  };
}

export type RawBroker = ReturnType<typeof readBroker>;

function readBroker(broker: Settings, audit: KeyAudit) {
  audit.refuse('experimental.broker', broker);
  return {
    position: broker.position,
    at: (key: string) => broker.positionOf(key),
    socketPath: broker.string('socket_path'),
    bindAddress: broker.string('bind_address'),
    brokers: broker.sections('brokers').map((section, index) => {
      const name = `experimental.broker.brokers[${index}]`;
      audit.refuse(name, section);
      return {
        position: section.position,
        id: section.string('id'),
        types: section.sections('allowed_reference_types').map((type, typeIndex) => {
          audit.refuse(`${name}.allowed_reference_types[${typeIndex}]`, type);
          return {
            position: type.position,
            typeUrl: type.string('type_url'),
            allowOverTcp: type.bool('allow_over_tcp'),
          };
        }),
      };
    }),
  };
}
