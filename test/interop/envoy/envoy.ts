import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  accepts,
  eventually,
  freePort,
  type Program,
  root,
  startProgram,
} from '../../kit/programs.ts';

/** The binary of the wheel that `tools/prepare` installs; undefined where it is not. */
export const envoyBinary: string | undefined = findEnvoy();

/** What to give a test as `skip` that needs it. */
export const noEnvoy: string | false =
  process.env['CI'] === undefined && envoyBinary === undefined && 'run tools/prepare for Envoy';

function findEnvoy(): string | undefined {
  const lib = join(root, '.cache/python/lib');
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .map((python) => join(lib, python, 'site-packages/envoy/_bin/envoy'))
    .find((path) => existsSync(path));
}

/** Where a side's secrets come from, and whom it believes. */
export type Side = {
  /** The agent's socket. */
  readonly socket: string;
  readonly svid: string;
  readonly validation: string;
  /** The peer's SPIFFE ID, or a regular expression of it. */
  readonly peer: string | RegExp;
  /** How secrets are asked for. */
  readonly api?: 'GRPC' | 'DELTA_GRPC';
  /** What the Envoy says of itself. */
  readonly metadata?: object;
};

export type EnvoyOptions = Side & {
  readonly role: 'server' | 'client';
  /** The port to pass connections on to. */
  readonly target: number;
  /**
   * Where what comes to `tlsPort` goes, whose TLS has no certificate of the client's. A `server` shows its own there and
   * asks for none; a `client` shows none, and believes in the server as it does on the other port.
   */
  readonly tlsTarget?: number;
  readonly uid?: number;
};

export type Envoy = {
  readonly port: number;
  /** Nobody listens there unless there is a `tlsTarget`. */
  readonly tlsPort: number;
  readonly program: Program;
  /** What its administration answers. */
  admin(path: string): Promise<string>;
};

/**
 * Starts an Envoy that passes connections on: a `server` takes mTLS and speaks plainly to its target, a `client` takes
 * plain connections and speaks mTLS.
 */
export async function startEnvoy(t: TestContext, options: EnvoyOptions): Promise<Envoy> {
  const ports = { mtls: await freePort(), tls: await freePort(), admin: await freePort() };
  const folder = await mkdtemp(join(tmpdir(), 'envoy-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755); // Envoys of other users read it
  const file = join(folder, 'envoy.json');
  await writeFile(file, JSON.stringify(configuration(options, ports), null, 2));
  const { uid } = options;
  const program = startProgram(
    t,
    [
      envoyBinary ?? 'envoy',
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '-l',
      'info',
      '-c',
      file,
    ],
    uid === undefined ? {} : { uid, gid: uid },
  );
  await eventually(() => {
    if (!program.running) throw new Error(`Envoy ended:\n${program.output}`);
    return accepts({ host: '127.0.0.1', port: ports.admin });
  }, 'the administration of Envoy');
  return {
    port: ports.mtls,
    tlsPort: ports.tls,
    program,
    admin: async (path) => (await fetch(`http://127.0.0.1:${ports.admin}${path}`)).text(),
  };
}

const type = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const at = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

type Ports = { readonly mtls: number; readonly tls: number; readonly admin: number };

function configuration(options: EnvoyOptions, ports: Ports): object {
  const { target, tlsTarget, socket, metadata } = options;
  const ways: readonly Way[] = [
    { name: 'mtls', port: ports.mtls, target, isMutual: true },
    ...(tlsTarget === undefined
      ? []
      : [{ name: 'tls', port: ports.tls, target: tlsTarget, isMutual: false }]),
  ];
  return {
    node: { id: `test-${ports.mtls}`, cluster: 'test', ...(metadata && { metadata }) },
    admin: { address: at(ports.admin) },
    static_resources: {
      listeners: ways.map((way) => listener(options, way)),
      clusters: [
        ...ways.map((way) => cluster(options, way)),
        {
          name: 'agent',
          connect_timeout: '5s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              ...type('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: endpoint('agent', { pipe: { path: socket } }),
        },
      ],
    },
  };
}

/** Through an Envoy: a listener and the cluster that it passes on to. */
type Way = {
  readonly name: string;
  readonly port: number;
  readonly target: number;
  /** Whether the client has to show a certificate. */
  readonly isMutual: boolean;
};

const listener = (options: EnvoyOptions, { name, port, isMutual }: Way) => ({
  name,
  address: at(port),
  filter_chains: [
    {
      filters: [
        {
          name: 'envoy.filters.network.tcp_proxy',
          typed_config: {
            ...type('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
            stat_prefix: name,
            cluster: name,
          },
        },
      ],
      ...(options.role === 'server' && {
        transport_socket: secured(
          'Downstream',
          { ...ownCertificate(options), ...(isMutual && validation(options)) },
          { require_client_certificate: isMutual },
        ),
      }),
    },
  ],
});

const cluster = (options: EnvoyOptions, { name, target, isMutual }: Way) => ({
  name,
  connect_timeout: '5s',
  load_assignment: endpoint(name, at(target)),
  ...(options.role === 'client' && {
    transport_socket: secured('Upstream', {
      ...(isMutual && ownCertificate(options)),
      ...validation(options),
    }),
  }),
});

/** Those of SPIRE's suites. */
const CURVES = ['X25519', 'P-256', 'P-521', 'P-384'];

const secured = (kind: 'Downstream' | 'Upstream', context: object, more: object = {}) => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    ...type(`envoy.extensions.transport_sockets.tls.v3.${kind}TlsContext`),
    common_tls_context: { tls_params: { ecdh_curves: CURVES }, ...context },
    ...more,
  },
});

const endpoint = (name: string, address: object) => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
});

const ownCertificate = (side: Side) => ({
  tls_certificate_sds_secret_configs: [secret(side, side.svid)],
});

function validation(side: Side) {
  const { peer } = side;
  const matcher =
    typeof peer === 'string' ? { exact: peer } : { safe_regex: { regex: peer.source } };
  return {
    combined_validation_context: {
      default_validation_context: {
        match_typed_subject_alt_names: [{ san_type: 'URI', matcher }],
      },
      validation_context_sds_secret_config: secret(side, side.validation),
    },
  };
}

const secret = ({ api = 'GRPC' }: Side, name: string) => ({
  name,
  sds_config: {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: api,
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'agent' } }],
    },
  },
});
