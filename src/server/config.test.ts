import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigFault } from '../base/problems.ts';
import type { ConfigEnv } from '../ops/config-env.ts';
import { createLogger } from '../ops/logger.ts';
import type { LogSettings } from '../ops/open-log.ts';
import { loadServerConfig, type ServerFlags, unsupportedServerSettings } from './config.ts';

const data = join(import.meta.dirname, '../../test/data/config');

type World = { readonly lines: string[]; readonly opened: LogSettings[] };

function worldOf(content: string | undefined, world: World, environment = {}): ConfigEnv {
  return {
    cwd: '/srv',
    environment,
    async readFile() {
      if (content !== undefined) return new TextEncoder().encode(content);
      throw Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), {
        code: 'ENOENT',
      });
    },
    async openLog(settings) {
      world.opened.push(settings);
      if (settings.file?.includes('missing') === true) {
        throw new Error(`open ${settings.file}: no such file or directory`);
      }
      const sink = {
        write: (line: string) => void world.lines.push(line.replace(/^time=\S+ /, '').trimEnd()),
      };
      return createLogger({ level: 'info', format: '', sink });
    },
    async resolveHost(host) {
      if (host === 'localhost') return '127.0.0.1';
      throw new Error(`lookup ${host}: no such host`);
    },
  };
}

const newWorld = (): World => ({ lines: [], opened: [] });

const load = (
  content: string | undefined,
  flags: ServerFlags = {},
  world = newWorld(),
  environment = {},
) => loadServerConfig({ config: 'x.conf', ...flags }, worldOf(content, world, environment));

const file = (name: string): string => readFileSync(join(data, name), 'utf8');

const PLUGINS = `plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "./x.sqlite3" } }
  KeyManager "memory" {}
}`;

/** A good file with more in its server section. */
const server = (more = '', after = ''): string =>
  `server {\n trust_domain = "example.org"\n data_dir = "./data"\n ${more}\n}\n${PLUGINS}\n${after}`;

/** What is said of a file that is refused. */
async function complaint(content: string | undefined, flags: ServerFlags = {}, world = newWorld()) {
  let message = 'none';
  await load(content, flags, world).catch((error: unknown) => {
    assert.ok(error instanceof ConfigFault, String(error));
    message = error.message;
  });
  return message;
}

test('what is not said has its default', async () => {
  const config = await load(server());
  assert.equal(config.trustDomain.name, 'example.org');
  const { trustDomain: _, datastore, plugins, telemetry: __, ...rest } = config;
  assert.deepEqual(rest, {
    dataDir: './data',
    bindAddress: '0.0.0.0',
    bindPort: 8081,
    socketPath: '/tmp/spire-server/private/api.sock',
    log: { level: 'info', format: '', file: undefined, sourceLocation: false },
    proxyProtocolTrustedCidrs: [],
    profiling: undefined,
    auditLogEnabled: false,
    adminIds: [],
    rateLimits: { attestation: true, signing: true },
    policy: undefined,
    caTtlSeconds: 86_400,
    x509SvidTtlSeconds: 3600,
    jwtSvidTtlSeconds: 300,
    agentTtlSeconds: 3600,
    caKeyType: 'ec-p256',
    jwtKeyType: 'ec-p256',
    witKeyType: undefined,
    caSubject: { C: ['US'], O: ['SPIFFE'] },
    jwtIssuer: undefined,
    witIssuer: undefined,
    federation: { bundleEndpoint: undefined, federatesWith: [] },
    agentIdAsSelector: false,
    nodePruning: undefined,
    pruneEventsOlderThanSeconds: 43_200,
    healthChecks: {
      listenerEnabled: false,
      bindAddress: 'localhost',
      bindPort: '80',
      readyPath: '/ready',
      livePath: '/live',
    },
    featureFlags: [],
    unsupported: [],
  });
  assert.deepEqual(datastore, {
    databaseType: 'sqlite3',
    connectionString: './x.sqlite3',
    readOnlyConnectionString: '',
    disableMigration: false,
    logSql: false,
    withoutEffect: [],
    complaints: [],
    refusal: undefined,
    inFile: undefined,
  });
  assert.deepEqual(
    plugins.map(({ type, name }) => [type, name]),
    [['KeyManager', 'memory']],
  );
  assert.ok(Object.isFrozen(config));
});

test('what is said counts', async () => {
  const config = await load(
    server(
      `BIND_ADDRESS = "[::1]" bind_port = "0x1F91" socket_path = "run/api.sock"
       log_level = "warn" log_format = "JSON" log_file = "x.log" log_source_location = true
       audit_log_enabled = true admin_ids = ["spiffe://other.org/a"]
       ca_ttl = "48h" default_x509_svid_ttl = "90m" default_jwt_svid_ttl = "1m" agent_ttl = "2h"
       ca_key_type = "RSA-4096" jwt_key_type = "ec-p384"
       ca_subject { country = ["DE", "FR"] organization = ["O"] common_name = "CN" }
       jwt_issuer = "https://issuer" ratelimit { attestation = false }
       prune_attested_nodes_expired_for = "24h" prune_attested_nodes_batch_size = 5 prune_tofu_nodes = true
       experimental { agent_spiffe_id_as_selector = true prune_events_older_than = "1h" feature_flags = ["wit-svid"] wit_issuer = "w" }`,
      'health_checks { listener_enabled = true bind_address = "[::]" bind_port = 8080 live_path = "/l" }',
    ),
  );
  assert.deepEqual(
    {
      bind: [config.bindAddress, config.bindPort, config.socketPath],
      log: config.log,
      ttls: [
        config.caTtlSeconds,
        config.x509SvidTtlSeconds,
        config.jwtSvidTtlSeconds,
        config.agentTtlSeconds,
      ],
      keys: [config.caKeyType, config.jwtKeyType, config.witKeyType],
      subject: config.caSubject,
      issuers: [config.jwtIssuer, config.witIssuer],
      limits: config.rateLimits,
      pruning: config.nodePruning,
      events: config.pruneEventsOlderThanSeconds,
      selector: config.agentIdAsSelector,
      admins: config.adminIds.map(String),
      health: config.healthChecks,
    },
    {
      bind: ['::1', 8081, '/srv/run/api.sock'],
      log: { level: 'warning', format: 'json', file: '/srv/x.log', sourceLocation: true },
      ttls: [172_800, 5400, 60, 7200],
      keys: ['rsa-4096', 'ec-p384', 'rsa-4096'],
      subject: { C: ['DE', 'FR'], O: ['O'], CN: ['CN'] },
      issuers: ['https://issuer', 'w'],
      limits: { attestation: false, signing: true },
      pruning: { expiredForSeconds: 86_400, batchSize: 5, includeTofu: true },
      events: 3600,
      selector: true,
      admins: ['spiffe://other.org/a'],
      health: {
        listenerEnabled: true,
        bindAddress: '::',
        bindPort: '8080',
        readyPath: '/ready',
        livePath: '/l',
      },
    },
  );
});

test('the command line counts more than the file, unless it says nothing', async () => {
  const content = server(
    'bind_port = 1000 log_level = "DEBUG" log_source_location = true socket_path = "/file.sock"',
  );
  const flags = {
    serverPort: 0n,
    logLevel: '',
    logSourceLocation: false,
    bindAddress: '127.0.0.1',
  };
  const unsaid = await load(content, flags);
  assert.deepEqual(
    [unsaid.bindPort, unsaid.log.level, unsaid.log.sourceLocation, unsaid.bindAddress],
    [1000, 'debug', true, '127.0.0.1'],
  );
  const said = await load(content, {
    serverPort: 2000n,
    logLevel: 'ERROR',
    trustDomain: 'spiffe://flag.org',
    dataDir: '/flag',
    socketPath: '/flag.sock',
    logFile: '/flag.log',
    logFormat: 'text',
  });
  assert.deepEqual(
    [said.bindPort, said.trustDomain.name, said.dataDir, said.socketPath, said.log],
    [
      2000,
      'flag.org',
      '/flag',
      '/flag.sock',
      { level: 'error', format: 'text', file: '/flag.log', sourceLocation: true },
    ],
  );
});

/** Each with SPIRE's complaint. */
const refused: readonly (readonly [string, string])[] = [
  [PLUGINS, 'trust_domain must be configured'],
  ['server { trust_domain = "a" } plugins {}', 'data_dir must be configured'],
  ['server { trust_domain = "a" data_dir = "x" }', 'plugins section must be configured'],
  [
    server('trust_domain = ["x"]'),
    'unable to decode configuration at "x.conf": At 4:17: root.server.trust_domain: unknown type for string *ast.ListType',
  ],
  [
    server('bind_port = "many"'),
    'unable to decode configuration at "x.conf": strconv.ParseInt: parsing "many": invalid syntax',
  ],
  [
    server('audit_log_enabled = "true"'),
    'unable to decode configuration at "x.conf": At 4:22: root.server.audit_log_enabled: unknown type *ast.LiteralType',
  ],
  [
    server('experimental { feature_flags = ["b", "a"] }'),
    'error loading feature flags: unknown feature flag(s): [a b]',
  ],
  [
    server('federation { bundle_endpoint { acme {} } }'),
    'federation.bundle_endpoint.acme.domain_name must be configured',
  ],
  [
    server('federation { bundle_endpoint { acme { domain_name = "x" } } }'),
    'federation.bundle_endpoint.acme.email must be configured',
  ],
  [
    server('federation { federates_with "b.test" {} }'),
    'federation.federates_with["b.test"].bundle_endpoint_url must be configured',
  ],
  [
    server('federation { federates_with "b.test" { bundle_endpoint_url = "http://b" } }'),
    'federation.federates_with["b.test"].bundle_endpoint_url must use the HTTPS protocol; URL found: "http://b"',
  ],
  [
    server('experimental { event_timeout = "1m" sql_transaction_timeout = "1m" }'),
    'both experimental sql_transaction_timeout and event_timeout set, only set event_timeout',
  ],
  [
    server('proxy_protocol_trusted_cidrs = ["10.0.0.0/33"]'),
    'invalid proxy_protocol_trusted_cidrs value "10.0.0.0/33": invalid CIDR address: 10.0.0.0/33',
  ],
  [
    server('experimental { named_pipe_name = "x" }'),
    'invalid configuration: named_pipe_name is not supported in this platform; please use socket_path instead',
  ],
  [server('log_file = "/missing/x"'), 'open /missing/x: no such file or directory'],
  [server('log_level = "LOUD"'), 'could not start logger: not a valid logrus Level: "LOUD"'],
  [server('log_format = "xml"'), 'could not start logger: unknown logger format: "xml"'],
  [
    server('bind_address = "no.such.host"'),
    'could not resolve bind address "no.such.host:8081": lookup no.such.host: no such host',
  ],
  [
    server('bind_port = 65536'),
    'could not resolve bind address "0.0.0.0:65536": address 65536: invalid port',
  ],
  [
    server('bind_address = "::1" bind_port = -1'),
    'could not resolve bind address "[::1]:-1": address -1: invalid port',
  ],
  [
    server('trust_domain = "Golden test"'),
    'could not parse trust_domain "Golden test": trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    server('federation { bundle_endpoint { refresh_hint = "x" } }'),
    'could not parse refresh_hint "x": time: invalid duration "x"',
  ],
  [
    server(
      'federation { bundle_endpoint { acme { domain_name = "x" email = "y" } profile "https_spiffe" {} } }',
    ),
    "either bundle endpoint 'acme' or 'profile' can be set, but not both",
  ],
  [
    server('federation { bundle_endpoint { profile = "https_spiffe" } }'),
    'malformed configuration',
  ],
  [
    server('federation { bundle_endpoint { profile {} } }'),
    'exactly one bundle endpoint profile is expected',
  ],
  [
    server('federation { bundle_endpoint { profile "https_spiffe" {} profile "https_web" {} } }'),
    'exactly one bundle endpoint profile is expected',
  ],
  [
    server('federation { bundle_endpoint { profile "https_web" {} } }'),
    "malformed https_web profile configuration: 'acme' or 'serving_cert_file' is required",
  ],
  [
    server('federation { bundle_endpoint { profile "https_web" { serving_cert_file {} } } }'),
    'time: invalid duration ""',
  ],
  [
    server('federation { bundle_endpoint { profile "https_web" { acme = 5 } } }'),
    'failed to decode configuration: At 4:62: root.acme: not an object type for struct (*ast.LiteralType)',
  ],
  [
    server('federation { bundle_endpoint { profile "other" {} } }'),
    `unknown bundle endpoint profile configured; current supported profiles are "https_spiffe" and 'https_web"`,
  ],
  [
    server('federation { federates_with "B" { bundle_endpoint_url = "https://b" } }'),
    'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    server('federation { federates_with "b" { bundle_endpoint_url = "https://b" } }'),
    'federation configuration for trust domain "b": missing bundle endpoint configuration',
  ],
  [
    server(
      'federation { federates_with "b" { bundle_endpoint_url = "https://b" bundle_endpoint_profile "https_spiffe" {} } }',
    ),
    'error parsing federation relationship for trust domain "b": could not get endpoint SPIFFE ID: cannot be empty',
  ],
  [
    server('max_attested_node_info_staleness = "x"'),
    'could not parse max attested node staleness "x": time: invalid duration "x"',
  ],
  [server('admin_ids = ["x"]'), 'could not parse admin ID "x": scheme is missing or invalid'],
  [server('agent_ttl = "x"'), 'could not parse agent ttl "x": time: invalid duration "x"'],
  [
    server('default_x509_svid_ttl = "1"'),
    'could not parse default X509 SVID ttl "1": time: missing unit in duration "1"',
  ],
  [
    server('default_jwt_svid_ttl = "x"'),
    'could not parse default JWT SVID ttl "x": time: invalid duration "x"',
  ],
  [
    server('ca_ttl = "1 day"'),
    'could not parse default CA ttl "1 day": time: unknown unit " day" in duration "1 day"',
  ],
  [server('ca_ttl = "-1h"'), 'could not parse default CA ttl "-1h": must not be negative'],
  [
    server('ca_key_type = "ed25519"'),
    'error parsing ca_key_type: key type "ed25519" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]',
  ],
  [
    server('jwt_key_type = "x"'),
    'error parsing jwt_key_type: key type "x" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]',
  ],
  [
    server('experimental { wit_key_type = "x" }'),
    'error parsing wit_key_type: key type "x" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]',
  ],
  [
    server('prune_attested_nodes_expired_for = "x"'),
    'could not parse prune_attested_nodes_expired_for: time: invalid duration "x"',
  ],
  [server('', 'other {}'), 'unknown configuration detected'],
  [server('ca_subject { county = ["x"] }'), 'unknown configuration detected'],
  [server('ratelimit { x = true }'), 'unknown configuration detected'],
  [server('federation { bundle_endpoint { prt = 1 } }'), 'unknown configuration detected'],
  [server('', 'telemetry { InMem { enabled = true } }'), 'unknown configuration detected'],
  [server('', 'telemetry { Prometheus { pot = 1 } }'), 'unknown configuration detected'],
  [server('', 'telemetry { Statsd = [{ adress = "x" }] }'), 'unknown configuration detected'],
  [server('', 'health_checks { enabled = true }'), 'unknown configuration detected'],
  [
    server('experimental { cache_reload_interval = "x" }'),
    'could not parse cache reload interval: time: invalid duration "x"',
  ],
  [
    server('experimental { full_cache_reload_interval = "x" }'),
    'could not parse full cache reload interval: time: invalid duration "x"',
  ],
  [
    server('experimental { full_cache_reload_interval = "1s" }'),
    'full cache reload interval must be greater than cache reload interval',
  ],
  [
    server('experimental { prune_events_older_than = "x" }'),
    'could not parse prune events interval: time: invalid duration "x"',
  ],
  [
    server('experimental { sql_transaction_timeout = "x" }'),
    'could not parse SQL transaction timeout interval: time: invalid duration "x"',
  ],
  [
    server('experimental { event_timeout = "x" }'),
    'could not parse event timeout interval: time: invalid duration "x"',
  ],
];
for (const [content, message] of refused) {
  test(`refuses: ${message}`, async () => {
    assert.equal(await complaint(content), message);
  });
}

test('a file that is not there is refused', async () => {
  assert.equal(
    await complaint(undefined, { config: '' }),
    'could not find config file /srv/conf/server/server.conf: please use the -config flag',
  );
});

test('the first complaint is the one that SPIRE finds first; the others follow with their places', async () => {
  const content = server(
    'ca_key_type = "a"\n ca_ttl = "b"\n bind_address = "no.such.host"\n trust_domian = "x"',
  );
  await assert.rejects(load(content), (error) => {
    assert.ok(error instanceof ConfigFault);
    assert.equal(
      error.report,
      [
        'could not resolve bind address "no.such.host:8081": lookup no.such.host: no such host',
        '  at x.conf:6:17',
        '  x.conf:5:11: could not parse default CA ttl "b": time: invalid duration "b"',
        '  x.conf:4:16: error parsing ca_key_type: key type "a" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]',
        '  x.conf: unknown configuration detected',
        '  x.conf:7:2: unknown key "trust_domian" in section server',
      ].join('\n'),
    );
    return true;
  });
});

test('unknown keys are logged by their sections before they are refused', async () => {
  const world = newWorld();
  await complaint(server('b = 1 a = 2', 'telemetri {}'), {}, world);
  assert.deepEqual(world.lines, [
    'level=error msg="Unknown configuration detected" keys=telemetri section=top-level',
    'level=error msg="Unknown configuration detected" keys="a,b" section=server',
  ]);
});

test('unknown keys that SPIRE passes over are a warning', async () => {
  const world = newWorld();
  await load(server('"quoted" = 1 federation { x = 1 }', 'telemetry { y = 1 }'), {}, world);
  assert.deepEqual(
    world.lines.filter((line) => line.includes('ignored')),
    [
      'level=warning msg="Unknown configuration is ignored" keys=quoted section=server',
      'level=warning msg="Unknown configuration is ignored" keys=x section=federation',
      'level=warning msg="Unknown configuration is ignored" keys=y section=telemetry',
    ],
  );
});

test('nothing is opened or logged while something is wrong before', async () => {
  const world = newWorld();
  await complaint(server('log_file = "x.log" data_dir = "" b = 1'), {}, world);
  assert.deepEqual(world, { lines: [], opened: [] });
});

const warnings: readonly (readonly [string, RegExp])[] = [
  [
    'ca_ttl = "1h" default_x509_svid_ttl = "48h"',
    /msg="default_x509_svid_ttl is too high for the configured ca_ttl value\. .*10m.*288h/,
  ],
  [
    'default_x509_svid_ttl = "169h"',
    /msg="default_x509_svid_ttl is too high and the ca_ttl is too low\. .*168h.*1008h/,
  ],
  ['ca_ttl = "2000h" agent_ttl = "169h"', /msg="agent_ttl is too high\. .*168h/],
  [
    'default_jwt_svid_ttl = "5h"',
    /msg="default_jwt_svid_ttl is too high for the configured ca_ttl value\. .*4h.*30h/,
  ],
  ['ca_subject {}', /msg="ca_subject configurable is set but empty; the default will be used"/],
  [
    'experimental { x = 1 }',
    /msg="Experimental features have been enabled\. Please see doc\/upgrading\.md/,
  ],
  [
    'experimental { feature_flags = ["wit-svid"] }',
    /msg="Developer feature flag \\"wit-svid\\" has been enabled"/,
  ],
  [
    'experimental { sql_transaction_timeout = "1m" }',
    /deprecated.* alert=true alert_type=deprecated_config/,
  ],
  ['federation { bundle_endpoint {} }', /deprecated.* alert=true alert_type=deprecated_config/],
  [
    'max_attested_node_info_staleness = "5s" experimental { events_based_cache = true }',
    /level=info msg="Keys without effect: .*" keys="max_attested_node_info_staleness,events_based_cache"/,
  ],
  ['disable_jwt_svids = true', /level=info msg="JWT-SVID profile is disabled"/],
  [
    `trust_domain = "${'a'.repeat(256)}"`,
    /msg="Configured trust domain name should be less than 255 characters/,
  ],
];
for (const [more, pattern] of warnings) {
  test(`warns of ${more.slice(0, 60)}`, async () => {
    const world = newWorld();
    await load(server(more), {}, world);
    assert.match(world.lines.join('\n'), pattern);
  });
}

test('lifetimes that fit are no reason to warn', async () => {
  const world = newWorld();
  await load(server('default_x509_svid_ttl = "4h" agent_ttl = "4h"'), {}, world);
  assert.deepEqual(world.lines, []);
});

test('a compiled policy and its data are found from where the server starts', async () => {
  const policyOf = async (local: string) =>
    (await load(server(`experimental { auth_opa_policy_engine { local { ${local} } } }`))).policy;
  assert.deepEqual(await policyOf('wasm_path = "p.wasm" policy_data_path = "/etc/p.json"'), {
    wasmPath: '/srv/p.wasm',
    dataPath: '/etc/p.json',
  });
  assert.deepEqual(await policyOf('wasm_path = "/p.wasm"'), {
    wasmPath: '/p.wasm',
    dataPath: undefined,
  });
});

test('profiles are for those who switch them on', async () => {
  const keys = 'profiling_port = 6060 profiling_freq = 30 profiling_names = ["cpu"]';
  assert.equal((await load(server(keys))).profiling, undefined);
  assert.deepEqual((await load(server(`profiling_enabled = true ${keys}`))).profiling, {
    port: 6060,
    intervalSeconds: 30,
    names: ['cpu'],
    folder: '/srv/.profiles',
  });
});

test('post-quantum keys are for the scrapes of metrics, as in SPIRE', async () => {
  const telemetry = 'telemetry { Prometheus { port = 1 tls { use_spire_svid = true } } }';
  const required = async (experimental: string) =>
    (await load(server(experimental, telemetry))).telemetry.prometheus?.tls?.postQuantumOnly;
  assert.equal(await required('experimental { require_pq_kem = true }'), true);
  assert.equal(await required(''), undefined);
});

test('without JWT-SVIDs there is no JWT key type', async () => {
  const config = await load(server('disable_jwt_svids = true'));
  assert.equal(config.jwtKeyType, undefined);
});

const unsupported: readonly (readonly [string, string, string])[] = [
  [
    'experimental { auth_opa_policy_engine { local { rego_path = "x" wasm_path = "y" } } }',
    '',
    'experimental.auth_opa_policy_engine: a rego_path is not supported; compile the policy with "opa build -t wasm -e spire/result" and name the policy.wasm in what that makes with wasm_path',
  ],
  [
    'experimental { auth_opa_policy_engine { local { policy_data_path = "x" } } }',
    '',
    'experimental.auth_opa_policy_engine.local.wasm_path must be configured',
  ],
  [
    'experimental { auth_opa_policy_engine {} }',
    '',
    'policy engine configuration must define a provider',
  ],
  [
    '',
    'telemetry { M3 = [{ address = "x" env = "y" }] }',
    'telemetry.M3 is not supported: use Prometheus, Statsd, DogStatsd or OpenTelemetry',
  ],
];
for (const [more, after, line] of unsupported) {
  test(`is valid, but cannot run yet: ${line}`, async () => {
    assert.deepEqual(unsupportedServerSettings(await load(server(more, after))), [line]);
  });
}

test('what changes nothing is no reason not to run', async () => {
  const config = await load(
    server(
      'profiling_enabled = true federation {} experimental { events_based_cache = true cache_reload_interval = "1s" require_pq_kem = true }',
      'telemetry { MetricPrefix = "x" EnableHostnameLabel = false }',
    ),
  );
  assert.deepEqual(unsupportedServerSettings(config), []);
});

const plugins = (content: string): string =>
  `server { trust_domain = "a" data_dir = "x" }\nplugins {\n${content}\n}`;
const SQL = 'DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "x" } }';

const unsupportedPlugins: readonly (readonly [string, readonly string[]])[] = [
  [`${SQL} KeyManager "aws_kms" {}`, ['KeyManager "aws_kms" is not supported yet']],
  [
    `${SQL} KeyManager "memory" {} UpstreamAuthority "vault" {}`,
    ['UpstreamAuthority "vault" is not supported yet'],
  ],
  [
    `${SQL} KeyManager "memory" {} NodeAttestor "k8s_psat" {} NodeAttestor "x509pop" {}`,
    ['NodeAttestor "k8s_psat" is not supported yet'],
  ],
  [
    `${SQL} KeyManager "memory" { plugin_cmd = "/bin/x" }`,
    ['KeyManager "memory" with plugin_cmd (an external plugin) is not supported yet'],
  ],
  [`${SQL} KeyManager "memory" {} NodeAttestor "nosuch" {}`, []],
  [`${SQL} KeyManager "memory" {} BundlePublisher "aws_s3" { enabled = false }`, []],
  ['KeyManager "memory" {}', ['expecting a DataStore plugin']],
  ['DataStore "sql" {}', ['malformed database type configuration']],
  [
    'DataStore "sql" { plugin_data { database_type = "" connection_string = "x" } }',
    ['datastore-sql: database_type must be set'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type "sqlite3" {} connection_string = "x" } }',
    ['unknown database type: sqlite3'],
  ],
  [
    SQL.replace('"sql"', '"other"'),
    ['pluggability for the DataStore is deprecated; only the built-in "sql" plugin is supported'],
  ],
  [
    SQL.replace('{', '{ plugin_cmd = "/bin/x"'),
    ['pluggability for the DataStore is deprecated; only the built-in "sql" plugin is supported'],
  ],
  ['DataStore "sql" { plugin_data_file = "x" }', []], // read when it is opened
  [`${SQL} DataStore "other" { enabled = false }`, ['only one DataStore plugin is allowed']],
  [
    'DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "x" log_sql = true max_open_conns = 3 conn_max_lifetime = "1h" ro_connection_string = "y" disable_migration = true } }',
    [],
  ],
  [
    'DataStore "sql" { plugin_data { database_type = "sqlite3" } }',
    ['datastore-sql: connection_string must be set'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type = "oracle" connection_string = "x" } }',
    ['datastore-sql: unsupported database_type: oracle'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type = 5 connection_string = "x" } }',
    ['malformed database type configuration'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "x" conn_max_lifetime = "y" } }',
    ['failed to parse conn_max_lifetime "y": time: invalid duration "y"'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type = "postgres" connection_string = "x" } }',
    ['DataStore "sql" with database_type "postgres" is not supported yet'],
  ],
  [
    'DataStore "sql" { plugin_data { database_type "aws_mysql" { region = "x" } connection_string = "x" } }',
    ['DataStore "sql" with database_type "aws_mysql" is not supported yet'],
  ],
];
for (const [content, lines] of unsupportedPlugins) {
  test(`plugins ${content.slice(0, 90)}`, async () => {
    assert.deepEqual(unsupportedServerSettings(await load(plugins(content))), lines);
  });
}

/** The recorded answers of `spire-server validate`. */
const recorded: readonly (readonly [string, string])[] = [
  ['server-good.conf', 'none'],
  ['server-good.json', 'none'],
  ['server-federation.conf', 'none'],
  ['server-ttl-too-long.conf', 'none'],
  ['server-no-keymanager.conf', 'none'],
  ['server-no-datastore.conf', 'none'],
  ['server-unknown-plugin.conf', 'none'],
  ['fixture-server.conf', 'none'],
  ['world-server.conf', 'none'],
  ['deployed/helm-server.json', 'none'],
  [
    'server-syntax.conf',
    'unable to decode configuration at "x.conf": At 4:1: Unknown token: 4:1 RBRACE }',
  ],
  ['server-unknown-key.conf', 'unknown configuration detected'],
  ['server-no-trust-domain.conf', 'trust_domain must be configured'],
  [
    'server-bad-trust-domain.conf',
    'could not parse trust_domain "Golden test": trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    'server-bad-ttl.conf',
    'could not parse default CA ttl "1 day": time: unknown unit " day" in duration "1 day"',
  ],
  ['server-two-datastores.conf', 'plugin "DataStore"/"sql" declared more than once'],
  ['server-no-plugins.conf', 'plugins section must be configured'],
  ['server-bad-log-level.conf', 'could not start logger: not a valid logrus Level: "LOUD"'],
  [
    'server-bad-key-type.conf',
    'error parsing ca_key_type: key type "ed25519" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]',
  ],
  [
    'server-federation-bad.conf',
    `error parsing federation relationship for trust domain "c.test": no bundle endpoint profile defined; current supported profiles are "https_spiffe" and 'https_web"`,
  ],
];
for (const [name, message] of recorded) {
  test(`${name} is answered as SPIRE answers it`, async () => {
    assert.equal(await complaint(file(name)), message);
  });
}

test('a tutorial file with variables is read', async () => {
  const config = await load(
    file('deployed/tutorial-server.conf'),
    { expandEnv: true },
    newWorld(),
    {
      SPIRE_SERVER_PORT: '8082',
      TRUST_DOMAIN: 'example.org',
    },
  );
  assert.equal(config.bindPort, 8082);
  assert.deepEqual(config.caSubject, { C: ['US'], O: ['SPIFFE'] });
  const psat = config.plugins.find(({ name }) => name === 'k8s_psat');
  const clusters = [...(psat?.data?.labelled('clusters') ?? [])];
  assert.deepEqual(
    clusters.map(([name, cluster]) => [name, cluster.strings('service_account_allow_list')]),
    [['demo-cluster', ['old:agent', 'spire:spire-agent']]],
  );
});

test('a rendered chart is read: labels, lists of blocks and null', async () => {
  const config = await load(file('deployed/helm-server.json'));
  assert.deepEqual(config.caSubject, { C: ['ARPA'], O: ['Example'], CN: ['example.org'] });
  assert.equal(config.datastore?.databaseType, 'aws_postgres');
  assert.deepEqual(
    config.plugins.map(({ type, name, data }) => [type, name, data !== undefined]),
    [
      ['BundlePublisher', 'k8s_configmap', true],
      ['KeyManager', 'disk', true],
      ['NodeAttestor', 'k8s_psat', true],
      ['NodeAttestor', 'join_token', false],
      ['CredentialComposer', 'uniqueid', false],
    ],
  );
  assert.equal(config.telemetry.prometheus?.port, 9988);
  const demo = config.plugins[2]?.data?.labelled('clusters').get('demo');
  assert.deepEqual(demo?.strings('service_account_allow_list'), ['spire:spire-agent']);
});
