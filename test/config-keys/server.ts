import type { Proofs } from './proof.ts';

const effects = 'src/server/config-effects.test.ts';
const config = 'src/server/config.test.ts';
const start = 'src/server/start.test.ts';
const kit = 'test/kit/server.ts';
const federation = 'src/server/config/federation.test.ts';
const federates = 'test/e2e/federation.test.ts';
const scrapes = 'src/ops/telemetry/serve-scrapes.test.ts';
const sinks = 'test/e2e/metrics.test.ts';
const labels = 'src/ops/telemetry/front.test.ts';
const otlp = 'src/ops/otlp/otlp-settings.test.ts';
const upkeep = 'src/server/upkeep.test.ts';
const profiling = 'src/ops/profiling/profiling.test.ts';
const policy = 'src/server/policy/start-policy.test.ts';
const plugins = 'src/catalog/plugin-sections.test.ts';

/** The same start-up line tells of them all. */
const withoutEffect = [config, 'Keys without effect: '] as const;

export const serverKeys: Proofs = {
  'top-level': {
    server: [start, 'a new server serves both listeners'],
    plugins: [config, 'plugins section must be configured'],
    telemetry: [sinks, "'s series are those of SPIRE"],
    health_checks: [start, 'probes are answered where they are configured'],
  },
  server: {
    trust_domain: [start, "assert.equal(fromHere.trustDomain, 'example.org')"],
    data_dir: [start, "'data/keys.json'"],
    bind_address: [start, '`127.0.0.1:${server.port}`'],
    bind_port: [start, 'a start on a used port changes nothing'],
    socket_path: [start, "mode('private/api.sock')"],
    admin_ids: ['test/e2e/admins.test.ts', 'admin_ids are admins'],
    agent_ttl: [effects, 'agent_ttl and jwt_issuer'],
    default_x509_svid_ttl: [effects, 'default_x509_svid_ttl, default_jwt_svid_ttl'],
    default_jwt_svid_ttl: [effects, 'default_x509_svid_ttl, default_jwt_svid_ttl'],
    ca_ttl: [effects, 'ca_ttl, ca_key_type and ca_subject make the authority'],
    ca_key_type: [effects, 'ca_ttl, ca_key_type and ca_subject make the authority'],
    ca_subject: [effects, 'ca_ttl, ca_key_type and ca_subject make the authority'],
    jwt_key_type: [effects, 'jwt_key_type = "ec-p384"'],
    jwt_issuer: [effects, 'agent_ttl and jwt_issuer'],
    disable_jwt_svids: [effects, 'disable_jwt_svids leaves no JWT key'],
    audit_log_enabled: [effects, 'audit_log_enabled has calls told'],
    log_level: ['src/ops/logger.test.ts', 'what is louder than the level is not written'],
    log_format: ['src/ops/log-line.test.ts', 'the time in format'],
    log_file: ['test/e2e/user-signals.test.ts', 'SIGUSR2 opens the log files anew'],
    log_source_location: ['src/ops/logger.test.ts', 'the source location is that of the call'],
    ratelimit: [effects, 'ratelimit.attestation switches'],
    proxy_protocol_trusted_cidrs: [effects, 'proxy_protocol_trusted_cidrs: audit lines'],
    max_attested_node_info_staleness: withoutEffect,
    prune_attested_nodes_expired_for: [upkeep, 'expired nodes go about every hour'],
    prune_attested_nodes_batch_size: [upkeep, 'batchSize'],
    prune_tofu_nodes: [upkeep, 'includeTofu'],
    profiling_enabled: [effects, 'profiling_enabled and profiling_port'],
    profiling_port: [effects, 'profiling_enabled and profiling_port'],
    profiling_freq: [profiling, 'profiles are written again and again'],
    profiling_names: [profiling, 'what this program does not have is told'],
    federation: [federates, 'two servers that know each other'],
    experimental: [config, 'Experimental features have been enabled'],
  },
  ca_subject: {
    country: [effects, 'country = ["CH"]'],
    organization: [effects, 'organization = ["Acme", "Sub"]'],
    common_name: [effects, 'common_name = "root"'],
  },
  ratelimit: {
    attestation: [effects, 'ratelimit { attestation = false }'],
    signing: ['src/server/api/rate-limits.test.ts', 'what is switched off does not limit'],
  },
  experimental: {
    agent_spiffe_id_as_selector: [effects, 'experimental.agent_spiffe_id_as_selector gives'],
    auth_opa_policy_engine: [policy, 'a server that has a policy does what that says'],
    cache_reload_interval: withoutEffect,
    full_cache_reload_interval: withoutEffect,
    events_based_cache: withoutEffect,
    event_timeout: withoutEffect,
    sql_transaction_timeout: [config, 'deprecated.* alert=true alert_type=deprecated_config'],
    prune_events_older_than: [upkeep, 'old events go at half of their age'],
    require_pq_kem: [scrapes, 'where post-quantum keys are required'],
    wit_key_type: [effects, 'wit_key_type and wit_issuer are those of WIT-SVIDs'],
    wit_issuer: [effects, 'wit_key_type and wit_issuer are those of WIT-SVIDs'],
    feature_flags: [
      'test/e2e/fetch-wit-svids.test.ts',
      'without the feature flag there is no WIT key',
    ],
    named_pipe_name: [config, 'named_pipe_name is not supported in this platform'],
  },
  'experimental.auth_opa_policy_engine': {
    local: [config, 'policy engine configuration must define a provider'],
  },
  'experimental.auth_opa_policy_engine.local': {
    wasm_path: [config, 'a compiled policy and its data are found'],
    policy_data_path: [config, 'a compiled policy and its data are found'],
    rego_path: [config, 'a rego_path is not supported'],
  },
  federation: {
    bundle_endpoint: [federates, 'two servers that know each other'],
    federates_with: [federates, 'two servers that know each other'],
  },
  'bundle endpoint': {
    address: [federation, 'what an endpoint says counts'],
    port: [federation, 'what an endpoint says counts'],
    refresh_hint: [
      'src/server/federation/bundle-endpoint/bundle-answers.test.ts',
      'is told in whole seconds',
    ],
    acme: ['test/e2e/bundle-endpoint-acme.test.ts', 'the certificate comes from an ACME server'],
    profile: [federates, 'an endpoint of the web is believed by its certificate'],
  },
  federates_with: {
    bundle_endpoint_url: [federates, 'two servers that know each other'],
    bundle_endpoint_profile: [federates, 'an endpoint of the web is believed by its certificate'],
  },
  plugins: {
    plugin_data: [kit, 'plugin_data { keys_path'],
    plugin_data_file: ['test/e2e/user-signals.test.ts', 'SIGUSR1 has a plugin read its file again'],
    plugin_cmd: ['src/catalog/load-plugin.test.ts', 'this version runs built-in plugins only'],
    plugin_args: [plugins, 'plugin_args'],
    plugin_checksum: [plugins, 'plugin_checksum'],
    enabled: [config, 'enabled = false'],
  },
  telemetry: {
    prometheus: [sinks, "'s series are those of SPIRE"],
    dogstatsd: [sinks, 'statsd and DogStatsD get every series'],
    statsd: [sinks, 'statsd and DogStatsD get every series'],
    m3: [config, 'telemetry.M3 is not supported: use'],
    inmem: [sinks, 'SIGUSR1 writes what is in memory to the log'],
    opentelemetry: ['test/e2e/open-telemetry.test.ts', 'metrics and logs are sent too'],
    metricprefix: [labels, 'names the prefix first'],
    enabletrustdomainlabel: [labels, 'the labels of trust domain and host can be left out'],
    enablehostnamelabel: [labels, 'the labels of trust domain and host can be left out'],
    allowedprefixes: [labels, 'allowedPrefixes'],
    blockedprefixes: [labels, 'blockedPrefixes'],
    allowedlabels: [labels, 'allowedLabels'],
    blockedlabels: [labels, 'blockedLabels'],
  },
  Prometheus: {
    host: [scrapes, 'only what is not localhost is warned of'],
    port: [scrapes, 'a port in use is told'],
    tls: [scrapes, 'files are presented'],
  },
  'Prometheus.tls': {
    cert_file: [scrapes, 'files are presented'],
    key_file: [scrapes, 'files are presented'],
    client_ca_file: [scrapes, 'clients need a certificate of the CA file'],
    use_spire_svid: [scrapes, 'the own SVID is presented once there is one'],
    authorized_spiffe_ids: [scrapes, 'to the IDs that may come'],
  },
  Statsd: { address: [sinks, 'statsd and DogStatsD get every series'] },
  DogStatsd: { address: [sinks, 'statsd and DogStatsD get every series'] },
  OpenTelemetry: {
    endpoint: [otlp, 'the block is what counts'],
    headers: [otlp, 'the block is what counts'],
    ca_file: [otlp, 'the block is what counts'],
    service_name: [otlp, 'the block is what counts'],
    traces: [otlp, 'the block is what counts'],
    metrics: ['test/e2e/open-telemetry.test.ts', 'metrics and logs are sent too'],
    logs: ['test/e2e/open-telemetry.test.ts', 'metrics and logs are sent too'],
    sample_ratio: ['src/ops/otlp/tracer.test.ts', 'such a share of the traces is sampled'],
    protocol: [otlp, 'protocol'],
  },
  'health check': {
    listener_enabled: [start, 'probes are answered where they are configured'],
    bind_address: ['src/ops/health.test.ts', 'bindAddress'],
    bind_port: ['src/ops/health.test.ts', 'bindPort'],
    ready_path: ['src/ops/health.test.ts', '/ready'],
    live_path: ['src/ops/health.test.ts', '/alive'],
  },
};
