import type { Proofs } from './proof.ts';

const config = 'src/agent/config.test.ts';
const start = 'src/agent/start.test.ts';
const bootstrap = 'test/e2e/bootstrap.test.ts';
const cli = 'test/e2e/agent-cli.test.ts';
const workloadApi = 'src/agent/workload-api/workload-api.test.ts';
const profiling = 'src/ops/profiling/profiling.test.ts';
const sds = 'src/agent/sds/sds.test.ts';
const limits = 'src/agent/endpoint/rate-limits.test.ts';
const broker = 'src/agent/broker/broker.test.ts';
const rebootstrap = 'src/agent/rebootstrap.test.ts';
const signals = 'test/e2e/user-signals.test.ts';

export const agentKeys: Proofs = {
  'top-level': {
    agent: [start, 'serves this very process by its uid'],
    plugins: [config, 'plugins section must be configured'],
    telemetry: ['test/e2e/metrics.test.ts', "'s series are those of SPIRE"],
    health_checks: [cli, 'healthcheck'],
  },
  agent: {
    trust_domain: [bootstrap, 'does not believe a server of another trust domain'],
    data_dir: [start, 'a data file that is damaged'],
    server_address: [start, 'serves this very process by its uid'],
    server_port: [start, 'serves this very process by its uid'],
    socket_path: [start, '/public/api.sock'],
    admin_socket_path: [cli, 'adminSocket'],
    trust_bundle_path: ['src/agent/attest/bundle-source.test.ts', 'a path is read anew each time'],
    trust_bundle_format: ['src/agent/attest/trust-bundle.test.ts', 'ormat'],
    trust_bundle_url: [bootstrap, 'by https, from a host that the machine trusts'],
    trust_bundle_unix_socket: [bootstrap, 'behind a Unix socket, which is asked until it answers'],
    trust_bundle_spiffe_workload_api: [
      'src/agent/attest/bundle-from-workload-api.test.ts',
      'the bundle of the own trust domain is taken',
    ],
    insecure_bootstrap: [bootstrap, 'insecure_bootstrap = true'],
    rebootstrap_mode: [rebootstrap, 'is refused in mode always'],
    rebootstrap_delay: [rebootstrap, 'elay'],
    join_token: ['test/e2e/join-token.test.ts', 'a token lets one agent in'],
    join_token_file: [config, 'a join token may stand in a file'],
    log_level: [cli, 'the log is as loud as its operator says'],
    log_format: ['src/ops/log-line.test.ts', 'the time in format'],
    log_file: [signals, 'SIGUSR2 opens the log files anew'],
    log_source_location: ['src/ops/logger.test.ts', 'the source location is that of the call'],
    log_selectors: ['test/e2e/explain.test.ts', 'log_selectors = ["unix:uid"]'],
    disable_workload_api: [start, 'with the Workload API disabled it is unknown'],
    disable_sds_api: [start, 'with both APIs disabled there is no socket'],
    allow_unauthenticated_verifiers: [
      workloadApi,
      'whoever has no identity may have the own bundle',
    ],
    allowed_foreign_jwt_claims: [workloadApi, 'of a foreign token only what is allowed'],
    authorized_delegates: ['test/e2e/delegatedidentity.test.ts', 'authorized_delegates = ['],
    availability_target: [
      'src/agent/rotation.test.ts',
      'a target fits when more than twelve hours',
    ],
    workload_x509_svid_key_type: [
      'src/agent/sync/mint-x509-svids.test.ts',
      'workloadX509SvidKeyType: keyType',
    ],
    x509_svid_cache_max_size: ['src/agent/manager.test.ts', 'x509SvidCacheMaxSize'],
    jwt_svid_cache_max_size: [
      'src/agent/cache/cache-bounds.test.ts',
      'a cache of tokens never holds more than it may',
    ],
    profiling_enabled: [config, 'profiles are for those who switch them on'],
    profiling_port: [profiling, 'where time goes is told by function'],
    profiling_freq: [profiling, 'profiles are written again and again'],
    profiling_names: [profiling, 'what this program does not have is told'],
    sds: [sds, 'the configuration says what the special names are'],
    experimental: [config, 'an experimental section that changes nothing'],
  },
  sds: {
    default_svid_name: [sds, 'the configuration says what the special names are'],
    default_bundle_name: [sds, 'the configuration says what the special names are'],
    default_all_bundles_name: [sds, 'the configuration says what the special names are'],
    disable_spiffe_cert_validation: [sds, 'the configuration may switch the SPIFFE validator off'],
  },
  experimental: {
    sync_interval: ['src/agent/manager.test.ts', 'syncInterval'],
    jwt_svid_cache_hit_timeout: [
      'src/agent/sync/jwt-svids.test.ts',
      'a token that cannot be renewed is answered as long as it is good',
    ],
    use_sync_authorized_entries: [
      config,
      "The 'use_sync_authorized_entries' configuration is deprecated",
    ],
    keep_svids_on_disk: [
      'src/agent/kept/kept.test.ts',
      'serves what the last run kept, and catches up when the server is back',
    ],
    require_pq_kem: ['src/rpc/post-quantum.test.ts', 'post-quantum exchanges only'],
    feature_flags: ['test/e2e/workload-wit-svids.test.ts', 'wit-svid'],
    ratelimit: [limits, 'so many calls at once, then so many a second'],
    broker: [broker, 'broker'],
    named_pipe_name: [config, 'named_pipe_name is not supported in this platform'],
    admin_named_pipe_name: [config, 'admin_named_pipe_name is not supported in this platform'],
  },
  ratelimit: {
    fetch_x509_svid: [limits, 'each set of selectors, in whatever order, and each method'],
    fetch_jwt_svid: [limits, 'each set of selectors, in whatever order, and each method'],
    fetch_x509_bundles: [limits, 'each set of selectors, in whatever order, and each method'],
    fetch_jwt_bundles: [limits, 'each set of selectors, in whatever order, and each method'],
    stream_secrets: [limits, 'each set of selectors, in whatever order, and each method'],
    fetch_secrets: [limits, 'each set of selectors, in whatever order, and each method'],
  },
  'experimental.broker': {
    socket_path: [config, 'brokers are known by their IDs'],
    bind_address: [broker, 'TCP'],
    brokers: [config, 'brokers are known by their IDs'],
  },
  'experimental.broker.brokers[0]': {
    id: [config, 'brokers are known by their IDs'],
    allowed_reference_types: [config, 'brokers are known by their IDs'],
  },
  'experimental.broker.brokers[0].allowed_reference_types[0]': {
    type_url: [config, 'brokers are known by their IDs'],
    allow_over_tcp: [config, 'allow_over_tcp'],
  },
};
