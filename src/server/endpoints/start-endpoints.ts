import type { AddressInfo } from 'node:net';
import { wrapFault } from '../../base/fault.ts';
import { hostPort } from '../../base/listen-fault.ts';
import { createStrangers } from '../../base/strangers.ts';
import type { Log } from '../../ops/log.ts';
import { createRpcServer, type Interceptor, type RpcServer } from '../../rpc/serve.ts';
import type { BoundService } from '../../rpc/service.ts';
import { createConnectionsById } from './connections-by-id.ts';
import { listenLocal } from './local-listener.ts';
import type { Peer } from './peer.ts';
import { createProxiedSources } from './proxy-protocol/proxied-sources.ts';
import type { ServerSvidRotator } from './server-svid.ts';
import { listenTcp } from './tcp-listener.ts';
import type { VerifyClient } from './verify-client.ts';

/** Running calls get so long to end when the server stops (`reference/server.md` §5.2). */
const GRACE_MILLISECONDS = 10_000;
/** Agents find another server behind the same name now and then (`reference/server.md` §5.3). */
const MAX_CONNECTION_AGE_MILLISECONDS = 3 * 60_000;

/**
 * Of callers without a certificate: nodes that attest, and whoever asks for the bundle. They make one call and go, so
 * that what they can make us hold has narrow bounds; those with a certificate are never crowded out by them.
 */
const anonymousLimits = {
  maxConnectionAgeMilliseconds: MAX_CONNECTION_AGE_MILLISECONDS,
  /** Attestations of one address wait for their turn, one a second. */
  maxConnectionAgeGraceMilliseconds: 10 * 60_000,
  maxConcurrentStreams: 5,
  maxConnectionMegabytes: 8,
  /** A node's proof is a token, or a chain of certificates; thousands may hold so much each, and never end it. */
  maxReceiveBytes: 256 * 1024,
};
/** Beyond so many the one who has been here longest makes room. */
const MAX_ANONYMOUS_CONNECTIONS = 2000;

/** Two of the largest requests at once. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
/** An agent has one or two; servers below us, and administrators, may share an identity among many. */
const MAX_CONNECTIONS_OF_ONE_ID = 100;

export type EndpointsOptions<Context> = {
  readonly bindAddress: string;
  /** 0: one that is free. */
  readonly bindPort: number;
  readonly socketPath: string;
  /** The audit log names local callers. */
  readonly mustNameCaller: boolean;
  readonly services: {
    readonly tcp: readonly BoundService<Context>[];
    readonly local: readonly BoundService<Context>[];
  };
  readonly intercept: Interceptor<Peer, Context>;
  readonly svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>;
  readonly verifyClient: VerifyClient;
  /** Whose PROXY protocol headers are believed. */
  readonly proxyProtocolTrustedCidrs: readonly string[];
  readonly log: Log;
};

/** Disposing it takes no new connections, lets running calls end, and then ends what is left. */
export type Endpoints = AsyncDisposable & {
  readonly tcpAddress: AddressInfo;
  /** Rejects when a listener breaks down; never resolves. */
  readonly failed: Promise<never>;
};

/** Serves the API on both listeners. Throws, with nothing left behind, if either cannot be had. */
export async function startEndpoints<Context>(
  options: EndpointsOptions<Context>,
): Promise<Endpoints> {
  const log = options.log.child({ subsystem_name: 'endpoints' });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined); // whoever runs the server listens too
  const onFailure = (error: Error) => {
    log.error('Server APIs stopped prematurely', { error });
    reject(wrapFault('listener failed', error, 'unavailable'));
  };
  const { services, intercept } = options;
  const maxConnectionAgeMilliseconds = MAX_CONNECTION_AGE_MILLISECONDS;
  await using opened = new AsyncDisposableStack();
  const network = { services: services.tcp, intercept, log };
  const servers = {
    tcp: createRpcServer<Peer, Context>({
      ...network,
      maxConnectionAgeMilliseconds,
      maxHeldBytes: MAX_HELD_BYTES,
    }),
    anonymous: createRpcServer<Peer, Context>({ ...network, ...anonymousLimits }),
    unix: createRpcServer<Peer, Context>({ services: services.local, intercept, log }),
  };
  const anonymous = createStrangers(MAX_ANONYMOUS_CONNECTIONS);
  const known = createConnectionsById(MAX_CONNECTIONS_OF_ONE_ID);
  const where = { tcp: '', unix: options.socketPath };
  opened.defer(async () => {
    await Promise.all([
      shutDown([servers.tcp, servers.anonymous], log.child({ network: 'tcp', address: where.tcp })),
      shutDown([servers.unix], log.child({ network: 'unix', address: where.unix })),
    ]);
  });
  log.debug('Initializing API endpoints');
  const tcp = opened.use(
    await listenTcp({
      host: options.bindAddress,
      port: options.bindPort,
      svid: options.svid,
      verifyClient: options.verifyClient,
      proxied: createProxiedSources(options.proxyProtocolTrustedCidrs, log),
      onPeer: (socket, peer) => {
        if (peer.id !== undefined) {
          known.add(peer.id.toString(), socket);
          servers.tcp.inject(socket, peer);
        } else {
          anonymous.add(socket);
          servers.anonymous.inject(socket, peer);
        }
      },
      onFailure,
      log,
    }),
  );
  where.tcp = hostPort(tcp.address.address, tcp.address.port);
  opened.use(
    await listenLocal({
      path: options.socketPath,
      mustNameCaller: options.mustNameCaller,
      onPeer: (socket, peer) => {
        servers.unix.inject(socket, peer);
      },
      onFailure,
      log,
    }),
  );
  log.info('Starting Server APIs', { network: 'tcp', address: where.tcp });
  log.info('Starting Server APIs', { network: 'unix', address: where.unix });
  const running = opened.move();
  return {
    tcpAddress: tcp.address,
    failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function shutDown(servers: readonly RpcServer<Peer>[], log: Log): Promise<void> {
  log.info('Stopping Server APIs');
  log.info('Attempting graceful stop');
  const outcomes = await Promise.all(servers.map((server) => server.shutDown(GRACE_MILLISECONDS)));
  const graceful = outcomes.every(Boolean);
  log.info(
    graceful ? 'Graceful stop successful' : 'Graceful stop unsuccessful, forced stop after 10s',
  );
  log.info('Server APIs have stopped');
}
