import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigFault } from '../base/problems.ts';
import type { ConfigEnv } from '../ops/config-env.ts';
import { createLogger } from '../ops/logger.ts';
import type { LogSettings } from '../ops/open-log.ts';
import { type AgentFlags, loadAgentConfig, unsupportedAgentSettings } from './config.ts';

const data = join(import.meta.dirname, '../../test/data/config');

type World = { readonly lines: string[]; readonly opened: LogSettings[] };
const newWorld = (): World => ({ lines: [], opened: [] });

/** `x.conf` is the configuration; of other files there are a token and an empty one. */
function envOf(content: string, world: World): ConfigEnv {
  const files: Record<string, string> = {
    '/srv/x.conf': content,
    '/srv/token': ' abc\n',
    '/srv/empty': '\n',
  };
  return {
    cwd: '/srv',
    environment: {},
    async readFile(path) {
      const text = files[path];
      if (text !== undefined) return new TextEncoder().encode(text);
      const error = new Error(`ENOENT: no such file or directory, open '${path}'`);
      throw Object.assign(error, { code: 'ENOENT' });
    },
    async openLog(settings) {
      world.opened.push(settings);
      if (settings.file?.includes('missing') === true) {
        throw new Error(`open ${settings.file}: no such file or directory`);
      }
      const write = (line: string) =>
        void world.lines.push(line.replace(/^time=\S+ /, '').trimEnd());
      return createLogger({ level: 'info', format: '', sink: { write } });
    },
    resolveHost: async (host) => host,
  };
}

const load = (content: string, flags: AgentFlags = {}, world = newWorld()) =>
  loadAgentConfig({ config: 'x.conf', ...flags }, envOf(content, world));

const PLUGINS = `plugins {
  NodeAttestor "join_token" {}
  KeyManager "memory" {}
  WorkloadAttestor "unix" {}
}`;
const REQUIRED = 'server_address = "s" server_port = 8081 trust_domain = "example.org"';

/** A good file with more in its agent section. */
const agent = (more = '', after = ''): string =>
  `agent {\n ${REQUIRED} trust_bundle_path = "b.pem"\n ${more}\n}\n${PLUGINS}\n${after}`;

/** The same without a trust bundle. */
const bare = (more: string): string => `agent {\n ${REQUIRED}\n ${more}\n}\n${PLUGINS}`;

/** What is said of a file that is refused. */
async function complaint(content: string, flags: AgentFlags = {}, world = newWorld()) {
  let message = 'none';
  await load(content, flags, world).catch((error: unknown) => {
    assert.ok(error instanceof ConfigFault, String(error));
    message = error.message;
  });
  return message;
}

test('what is not said has its default', async () => {
  const { trustDomain, plugins, telemetry: _, healthChecks: __, ...rest } = await load(agent());
  assert.equal(trustDomain.name, 'example.org');
  assert.deepEqual(
    plugins.map(({ type, name }) => `${type} ${name}`),
    ['NodeAttestor join_token', 'KeyManager memory', 'WorkloadAttestor unix'],
  );
  assert.deepEqual(rest, {
    configuredTrustDomain: 'example.org',
    serverAddress: 's',
    serverPort: 8081,
    dataDir: '.',
    log: { level: 'info', format: '', file: undefined, sourceLocation: false },
    logSelectors: [],
    profiling: undefined,
    socketPath: '/tmp/spire-agent/public/api.sock',
    adminSocketPath: undefined,
    workloadApiEnabled: true,
    sdsApiEnabled: true,
    sds: {
      defaultSvidName: 'default',
      defaultBundleName: 'ROOTCA',
      defaultAllBundlesName: 'ALL',
      disableSpiffeCertValidation: false,
    },
    authorizedDelegates: [],
    joinToken: '',
    bundleSource: { kind: 'path', path: 'b.pem', format: 'pem' },
    requirePostQuantum: false,
    keepSvidsOnDisk: false,
    rebootstrap: { mode: 'never', delaySeconds: 600 },
    syncIntervalSeconds: 5,
    useSyncAuthorizedEntries: true,
    workloadKeyType: 'ec-p256',
    availabilityTargetSeconds: 0,
    x509SvidCacheMaxSize: 1000,
    jwtSvidCacheMaxSize: 1000,
    jwtSvidCacheHitTimeoutSeconds: 30,
    allowUnauthenticatedVerifiers: false,
    allowedForeignJwtClaims: [],
    rateLimits: {
      fetch_x509_svid: 0,
      fetch_jwt_svid: 0,
      fetch_x509_bundles: 0,
      fetch_jwt_bundles: 0,
      stream_secrets: 0,
      fetch_secrets: 0,
    },
    broker: undefined,
    featureFlags: [],
    unsupported: [],
  });
});

test('what is said counts', async () => {
  const config = await load(
    agent(
      `data_dir = "data" socket_path = "run/public/a.sock" admin_socket_path = "run/admin/a.sock"
       disable_sds_api = true log_level = "debug" log_selectors = ["unix"]
       workload_x509_svid_key_type = "RSA-2048" trust_bundle_format = "spiffe"
       availability_target = "24h" x509_svid_cache_max_size = 5 jwt_svid_cache_max_size = "6"
       allow_unauthenticated_verifiers = true allowed_foreign_jwt_claims = ["a"]
       join_token = "t"
       experimental { sync_interval = "7s" jwt_svid_cache_hit_timeout = "10s" use_sync_authorized_entries = false }`,
    ),
  );
  assert.deepEqual(
    [
      [config.dataDir, config.socketPath, config.adminSocketPath],
      [config.workloadApiEnabled, config.sdsApiEnabled],
      [config.log.level, config.logSelectors, config.workloadKeyType],
      config.bundleSource,
      [config.availabilityTargetSeconds, config.x509SvidCacheMaxSize, config.jwtSvidCacheMaxSize],
      [config.allowUnauthenticatedVerifiers, config.allowedForeignJwtClaims, config.joinToken],
      [config.syncIntervalSeconds, config.jwtSvidCacheHitTimeoutSeconds],
      config.useSyncAuthorizedEntries,
    ],
    [
      ['data', '/srv/run/public/a.sock', '/srv/run/admin/a.sock'],
      [true, false],
      ['debug', ['unix'], 'rsa-2048'],
      { kind: 'path', path: 'b.pem', format: 'spiffe' },
      [86_400, 5, 6],
      [true, ['a'], 't'],
      [7, 10],
      false,
    ],
  );
});

const sources: readonly (readonly [string, unknown])[] = [
  ['insecure_bootstrap = true', { kind: 'insecure' }],
  [
    'trust_bundle_url = "https://x/b"',
    { kind: 'url', url: 'https://x/b', format: 'pem', unixSocket: undefined },
  ],
  [
    'trust_bundle_url = "HTTP://x/b?a=1" trust_bundle_unix_socket = "s"',
    { kind: 'url', url: 'HTTP://x/b?a=1', format: 'pem', unixSocket: '/srv/s' },
  ],
  [
    'trust_bundle_spiffe_workload_api = "unix:///s"',
    { kind: 'workload-api', address: 'unix:///s' },
  ],
];
for (const [more, source] of sources) {
  test(`trust begins with ${more}`, async () => {
    assert.deepEqual((await load(bare(more))).bundleSource, source);
  });
}

test('the command line counts more than the file, unless it says nothing', async () => {
  const config = await load(agent('log_level = "DEBUG" insecure_bootstrap = false'), {
    dataDir: '/flag',
    joinToken: 'flag',
    logLevel: '',
    serverAddress: 'flag',
    serverPort: 1234n,
    trustDomain: 'spiffe://flag.org/x',
    trustBundle: '/flag.pem',
    trustBundleFormat: 'spiffe',
    socketPath: '/flag/a.sock',
    disableWorkloadAPI: true,
    disableSDSAPI: false,
    allowUnauthenticatedVerifiers: true,
  });
  assert.deepEqual(
    [config.dataDir, config.joinToken, config.log.level, config.serverAddress, config.serverPort],
    ['/flag', 'flag', 'debug', 'flag', 1234],
  );
  assert.deepEqual(
    [config.trustDomain.name, config.configuredTrustDomain, config.bundleSource, config.socketPath],
    [
      'flag.org',
      'spiffe://flag.org/x',
      { kind: 'path', path: '/flag.pem', format: 'spiffe' },
      '/flag/a.sock',
    ],
  );
  assert.deepEqual(
    [config.workloadApiEnabled, config.sdsApiEnabled, config.allowUnauthenticatedVerifiers],
    [false, true, true],
  );
});

test('a join token may stand in a file', async () => {
  assert.equal((await load(agent('join_token_file = "token"'))).joinToken, 'abc');
});

const ADMIN =
  'admin socket cannot be in the same directory or a subdirectory as that containing the Workload API socket';
const broker = (content: string): string => agent(`experimental { broker { ${content} } }`);
const brokers = (content: string): string =>
  broker(`socket_path = "/b/b.sock" brokers = [${content}]`);
const TYPES = 'allowed_reference_types = [{ type_url = "*" }]';

/** Each with SPIRE's complaint. */
const refused: readonly (readonly [string, string])[] = [
  [
    agent('server_port = "many"'),
    'unable to decode configuration at "x.conf": strconv.ParseInt: parsing "many": invalid syntax',
  ],
  [
    agent('insecure_bootstrap = "yes"'),
    'unable to decode configuration at "x.conf": At 3:23: root.agent.insecure_bootstrap: unknown type *ast.LiteralType',
  ],
  [
    agent('experimental { feature_flags = ["x"] }'),
    'error loading feature flags: unknown feature flag(s): [x]',
  ],
  ['agent {}', 'plugins section must be configured'],
  [
    agent('join_token = "a" join_token_file = "b"'),
    'only one of join_token or join_token_file can be specified, not both',
  ],
  [PLUGINS, 'server_address must be configured'],
  [`agent { server_address = "s" }\n${PLUGINS}`, 'server_port must be configured'],
  [`agent { server_address = "s" server_port = 1 }\n${PLUGINS}`, 'trust_domain must be configured'],
  [
    bare('trust_bundle_spiffe_workload_api = "unix:///s" insecure_bootstrap = true'),
    'only one of insecure_bootstrap or trust_bundle_spiffe_workload_api can be specified, not both',
  ],
  [
    bare('trust_bundle_spiffe_workload_api = "unix:///s" trust_bundle_url = "https://x"'),
    'only one of trust_bundle_url or trust_bundle_spiffe_workload_api can be specified, not both',
  ],
  [
    bare('trust_bundle_spiffe_workload_api = "unix:///s" trust_bundle_path = "x"'),
    'only one of trust_bundle_path or trust_bundle_spiffe_workload_api can be specified, not both',
  ],
  [
    bare('trust_bundle_spiffe_workload_api = "unix:///s" trust_bundle_unix_socket = "x"'),
    'trust_bundle_unix_socket can not be used with trust_bundle_spiffe_workload_api',
  ],
  [
    bare('trust_bundle_spiffe_workload_api = "blah"'),
    'trust_bundle_spiffe_workload_api is not a valid SPIFFE Workload API endpoint address: workload endpoint socket URI must have a "tcp" or "unix" scheme',
  ],
  [
    agent('insecure_bootstrap = true trust_bundle_url = "https://x"'),
    'only one of insecure_bootstrap, trust_bundle_url, or trust_bundle_path can be specified, not the three options',
  ],
  [
    bare('insecure_bootstrap = true trust_bundle_url = "https://x"'),
    'only one of insecure_bootstrap or trust_bundle_url can be specified, not both',
  ],
  [
    agent('insecure_bootstrap = true'),
    'only one of insecure_bootstrap or trust_bundle_path can be specified, not both',
  ],
  [
    bare(''),
    'trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless insecure_bootstrap is set',
  ],
  [
    agent('trust_bundle_url = "https://x"'),
    'only one of trust_bundle_url or trust_bundle_path can be specified, not both',
  ],
  [
    agent('trust_bundle_format = "PEM"'),
    'invalid value for trust_bundle_format, expected "pem" or "spiffe"',
  ],
  [
    agent('trust_bundle_unix_socket = "s"'),
    'if trust_bundle_unix_socket is specified, so must be trust_bundle_url',
  ],
  [
    bare('trust_bundle_url = ":x"'),
    'unable to parse trust bundle URL: parse ":x": missing protocol scheme',
  ],
  [
    bare('trust_bundle_url = "https://x/%zz"'),
    'unable to parse trust bundle URL: parse "https://x/%zz": invalid URL escape "%zz"',
  ],
  [
    bare('trust_bundle_url = "https://x:y/"'),
    'unable to parse trust bundle URL: parse "https://x:y/": invalid port ":y" after host',
  ],
  [
    bare('trust_bundle_url = "https://x/\\n"'),
    'unable to parse trust bundle URL: parse "https://x/\\n": net/url: invalid control character in URL',
  ],
  [
    bare('trust_bundle_url = "https://x" trust_bundle_unix_socket = "s"'),
    'trust bundle URL must start with http:// when used with trust bundle unix socket',
  ],
  [
    bare('trust_bundle_url = "http://x?spiffe-a=1" trust_bundle_unix_socket = "s"'),
    'trust_bundle_url query params can not start with spiffe-',
  ],
  [
    bare('trust_bundle_url = "http://x?b=1&spire-a=1" trust_bundle_unix_socket = "s"'),
    'trust_bundle_url query params can not start with spire-',
  ],
  [bare('trust_bundle_url = "http://x"'), 'trust bundle URL must start with https://'],
  [
    agent('experimental { named_pipe_name = "x" }'),
    'invalid configuration: named_pipe_name is not supported in this platform; please use socket_path instead',
  ],
  [
    agent('experimental { admin_named_pipe_name = "x" }'),
    'invalid configuration: admin_named_pipe_name is not supported in this platform; please use admin_socket_path instead',
  ],
  [agent('rebootstrap_mode = "Never"'), 'unknown rebootstrap mode specified: Never'],
  [
    bare('insecure_bootstrap = true rebootstrap_mode = "auto"'),
    'insecure_bootstrap option can not be used with rebootstrapping',
  ],
  [
    agent('rebootstrap_delay = "x"'),
    'error parsing rebootstrap delay duration: time: invalid duration "x"',
  ],
  [
    agent('experimental { sync_interval = "x" }'),
    'could not parse synchronization interval: time: invalid duration "x"',
  ],
  [agent('log_file = "/missing/x"'), 'open /missing/x: no such file or directory'],
  [agent('log_format = "xml"'), 'could not start logger: unknown logger format: "xml"'],
  [agent('log_level = "LOUD"'), 'could not start logger: not a valid logrus Level: "LOUD"'],
  [
    agent('experimental { jwt_svid_cache_hit_timeout = "x" }'),
    'could not parse jwt_svid_cache_hit_timeout: time: invalid duration "x"',
  ],
  [
    agent('experimental { jwt_svid_cache_hit_timeout = "1s" }'),
    'jwt_svid_cache_hit_timeout (1s) must be greater than 5s',
  ],
  [
    agent('experimental { jwt_svid_cache_hit_timeout = "30s" }'),
    'jwt_svid_cache_hit_timeout (30s) must be less than 30s',
  ],
  [agent('x509_svid_cache_max_size = -1'), 'x509_svid_cache_max_size should not be negative'],
  [agent('jwt_svid_cache_max_size = -1'), 'jwt_svid_cache_max_size should not be negative'],
  [
    agent('trust_domain = "A"'),
    'could not parse trust_domain "A": trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [agent('socket_path = "/x/w/a.sock" admin_socket_path = "/x/w/b.sock"'), ADMIN],
  [agent('socket_path = "/x/w/a.sock" admin_socket_path = "/x/w/y/b.sock"'), ADMIN],
  [
    agent('join_token_file = "nosuch"'),
    'unable to read join token file "nosuch": open nosuch: no such file or directory',
  ],
  [agent('join_token_file = "empty"'), 'join token file is empty'],
  [
    agent('workload_x509_svid_key_type = "rsa-4096"'),
    'key type "rsa-4096" is unknown; must be one of [rsa-2048, ec-p256, ec-p384]',
  ],
  [
    agent().replace('KeyManager', 'KeyManager "memory" {} KeyManager'),
    'plugin "KeyManager"/"memory" declared more than once',
  ],
  [
    agent().replace('"memory" {}', '"memory" { plugin_data { a = 1 } plugin_data_file = "x" }'),
    'failed to create plugin config for "KeyManager"/"memory": only one of [plugin_data, plugin_data_file] can be used',
  ],
  [agent('x = 1'), 'unknown configuration detected'],
  [agent('experimental { ratelimit { x = 1 } }'), 'unknown configuration detected'],
  [broker('x = 1 socket_path = "/b/s"'), 'unknown configuration detected'],
  [brokers(`{ id = "spiffe://a/b" x = 1 ${TYPES} }`), 'unknown configuration detected'],
  [
    agent('authorized_delegates = ["x"]'),
    'error validating authorized delegate: scheme is missing or invalid',
  ],
  [
    agent('authorized_delegates = ["spiffe://example.org/a", "spiffe://a/b"]'),
    'error validating authorized delegate: SPIFFE ID "spiffe://a/b" is not a member of trust domain "example.org"',
  ],
  [broker(''), 'experimental.broker requires socket_path, bind_address, or both'],
  [
    broker('socket_path = "/tmp/spire-agent/public/b.sock"'),
    'broker socket cannot be in the same directory or a subdirectory as that containing the Workload API socket',
  ],
  [
    broker('bind_address = "x"'),
    'invalid experimental.broker.bind_address "x": address x: missing port in address',
  ],
  [brokers('{}'), 'experimental.broker.brokers[0].id: must be specified'],
  [
    brokers(`{ id = "spiffe://a/b" ${TYPES} }, { id = "spiffe://a/b" ${TYPES} }`),
    'experimental.broker.brokers[spiffe://a/b].id: duplicate broker id',
  ],
  [brokers('{ id = "x" }'), 'experimental.broker.brokers[x].id: scheme is missing or invalid'],
  [
    brokers('{ id = "spiffe://a/b" }'),
    'experimental.broker.brokers[spiffe://a/b].allowed_reference_types: must list at least one reference type URL',
  ],
  [
    brokers('{ id = "spiffe://a/b" allowed_reference_types = [{ allow_over_tcp = true }] }'),
    'experimental.broker.brokers[spiffe://a/b].allowed_reference_types[0].type_url: must be specified',
  ],
  [
    brokers(
      '{ id = "spiffe://a/b" allowed_reference_types = [{ type_url = "*" }, { type_url = "x" }] }',
    ),
    'experimental.broker.brokers[spiffe://a/b].allowed_reference_types: wildcard "*" must be the only allowed reference type',
  ],
  [
    agent('availability_target = "x"'),
    'unable to parse availability_target: time: invalid duration "x"',
  ],
  [agent('availability_target = "23h"'), 'availability_target must be at least 24h0m0s'],
  [
    agent('experimental { ratelimit { fetch_secrets = -1 } }'),
    'experimental.ratelimit.fetch_secrets must not be negative',
  ],
];
for (const [content, message] of refused) {
  test(`refuses: ${message}`, async () => {
    assert.equal(await complaint(content), message);
  });
}

test('a sibling folder with a longer name is not the folder of the public socket', async () => {
  const content = agent('socket_path = "/x/w/a.sock" admin_socket_path = "/x/w-admin/b.sock"');
  assert.equal(await complaint(content), 'none');
});

test('without a public endpoint its folder is free', async () => {
  const content = agent(
    'disable_sds_api = true disable_workload_api = true admin_socket_path = "/tmp/spire-agent/public/b.sock"',
  );
  assert.equal(await complaint(content), 'none');
});

test('the first complaint is the one that SPIRE finds first; the others follow with their places', async () => {
  const content = agent(
    'availability_target = "1h"\n trust_bundle_format = "x"\n b = 1\n log_level = "y"',
  );
  await assert.rejects(load(content), (error) => {
    assert.ok(error instanceof ConfigFault);
    assert.equal(
      error.report,
      [
        'invalid value for trust_bundle_format, expected "pem" or "spiffe"',
        '  at x.conf:4:24',
        '  x.conf:6:14: could not start logger: not a valid logrus Level: "y"',
        '  x.conf: unknown configuration detected',
        '  x.conf:5:2: unknown key "b" in section agent',
        '  x.conf:3:24: availability_target must be at least 24h0m0s',
      ].join('\n'),
    );
    return true;
  });
});

test('unknown keys are logged by their sections before they are refused', async () => {
  const world = newWorld();
  await complaint(brokers(`{ id = "spiffe://a/b" x = 1 ${TYPES} }`), {}, world);
  assert.deepEqual(world.lines, [
    'level=error msg="Unknown configuration detected" keys=x section="experimental.broker.brokers[0]"',
  ]);
});

const warnings: readonly (readonly [string, RegExp])[] = [
  [
    'sds { default_bundle_name = "x" default_all_bundles_name = "x" }',
    /The \\"default_bundle_name\\" and \\"default_all_bundles_name\\" configurables have the same value/,
  ],
  [
    'experimental { use_sync_authorized_entries = true }',
    /The 'use_sync_authorized_entries' configuration is deprecated\..*alert=true alert_type=deprecated_config/,
  ],
  [
    'experimental { jwt_svid_cache_hit_timeout = "10s" }',
    /The use of 'jwt_svid_cache_hit_timeout' is experimental/,
  ],
  ['experimental { sync_interval = "6s" }', /Experimental features have been enabled/],
  [
    'experimental { feature_flags = ["wit-svid"] }',
    /Developer feature flag \\"wit-svid\\" has been enabled/,
  ],
  ['experimental { keep_svids_on_disk = true }', /Experimental features have been enabled/],
  ['experimental { x = 1 }', /Unknown configuration is ignored" keys=x section=experimental/],
];
for (const [more, pattern] of warnings) {
  test(`warns of ${more}`, async () => {
    const world = newWorld();
    await load(agent(more), {}, world);
    assert.match(world.lines.join('\n'), pattern);
  });
}

test('an experimental section that changes nothing is no reason to warn', async () => {
  const world = newWorld();
  await load(agent('experimental { ratelimit { fetch_secrets = 0 } }'), {}, world);
  assert.deepEqual(world.lines, []);
});

const unsupported: readonly (readonly [string, string])[] = [
  [
    agent('', 'telemetry { M3 = [{ address = "x" env = "y" }] }'),
    'telemetry.M3 is not supported: use Prometheus, Statsd, DogStatsd or OpenTelemetry',
  ],
  [agent().replace('"unix"', '"k8s"'), 'WorkloadAttestor "k8s" is not supported yet'],
  [agent().replace('"join_token"', '"aws_iid"'), 'NodeAttestor "aws_iid" is not supported yet'],
  [
    agent().replace('KeyManager', 'SVIDStore "gcp_secretmanager" {} KeyManager'),
    'SVIDStore "gcp_secretmanager" is not supported yet',
  ],
];
for (const [content, line] of unsupported) {
  test(`is valid, but cannot run yet: ${line}`, async () => {
    assert.deepEqual(unsupportedAgentSettings(await load(content)), [line]);
  });
}

test('brokers are known by their IDs, references by their types', async () => {
  const config = await load(
    broker(
      `socket_path = "run/b.sock" bind_address = "[::1]:8443"
       brokers = [{ id = "spiffe://a/b" allowed_reference_types = [
         { type_url = "x" }, { type_url = "y" allow_over_tcp = true }] }]`,
    ),
  );
  assert.deepEqual(config.broker, {
    socketPath: '/srv/run/b.sock',
    bindAddress: { host: '::1', port: 8443 },
    brokers: new Map([
      [
        'spiffe://a/b',
        new Map([
          ['x', { allowOverTcp: false }],
          ['y', { allowOverTcp: true }],
        ]),
      ],
    ]),
  });
  const other = await load(broker('bind_address = "localhost:1"'));
  assert.deepEqual(other.broker, {
    socketPath: undefined,
    bindAddress: { host: 'localhost', port: 1 },
    brokers: new Map(),
  });
});

test('profiles are for those who switch them on', async () => {
  const keys = 'profiling_port = 6060 profiling_freq = 30 profiling_names = ["cpu"]';
  assert.equal((await load(agent(keys))).profiling, undefined);
  assert.deepEqual((await load(agent(`profiling_enabled = true ${keys}`))).profiling, {
    port: 6060,
    intervalSeconds: 30,
    names: ['cpu'],
    folder: '/srv/.profiles',
  });
});

test('limits are numbers by method', async () => {
  const { rateLimits } = await load(
    agent('experimental { ratelimit { fetch_x509_svid = 5 fetch_secrets = "7" } }'),
  );
  assert.equal(rateLimits.fetch_x509_svid, 5);
  assert.equal(rateLimits.fetch_secrets, 7);
  assert.equal(rateLimits.stream_secrets, 0);
});

test('post-quantum keys are for the scrapes of metrics too, as in SPIRE', async () => {
  const telemetry = 'telemetry { Prometheus { port = 1 tls { use_spire_svid = true } } }';
  const required = async (experimental: string) =>
    (await load(agent(experimental, telemetry))).telemetry.prometheus?.tls?.postQuantumOnly;
  assert.equal(await required('experimental { require_pq_kem = true }'), true);
  assert.equal(await required(''), undefined);
});

test('what changes nothing is no reason not to run', async () => {
  const config = await load(
    agent(
      'admin_socket_path = "/a/b.sock" sds { default_svid_name = "default" } rebootstrap_mode = "never" disable_sds_api = true',
      'telemetry { Prometheus {} } health_checks { listener_enabled = true }',
    ),
  );
  assert.deepEqual(unsupportedAgentSettings(config), []);
});

/** The recorded answers of `spire-agent validate`. */
const recorded: readonly (readonly [string, string])[] = [
  ['agent-good.conf', 'none'],
  ['world-agent.conf', 'none'],
  ['deployed/helm-agent.json', 'none'],
  ['fixture-agent.conf', 'server_port must be configured'],
  [
    'agent-no-bundle.conf',
    'trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless insecure_bootstrap is set',
  ],
  [
    'agent-two-bundles.conf',
    'only one of trust_bundle_url or trust_bundle_path can be specified, not both',
  ],
  ['agent-http-bundle.conf', 'trust bundle URL must start with https://'],
  ['agent-no-server.conf', 'server_address must be configured'],
  ['agent-admin-socket.conf', ADMIN],
  ['agent-unknown-key.conf', 'unknown configuration detected'],
];
for (const [name, message] of recorded) {
  test(`${name} is answered as SPIRE answers it`, async () => {
    assert.equal(await complaint(readFileSync(join(data, name), 'utf8')), message);
  });
}
