import type { Server, Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import { peerCredentials } from '../../rpc/peer-credentials.ts';
import { createRpcServer, type RpcServer } from '../../rpc/serve.ts';
import type { BoundService } from '../../rpc/service.ts';
import { listenUnix } from '../../rpc/unix-socket.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { type CallDeps, workloadCalls } from '../workload-api/call.ts';
import { ConnectionLimit, MAX_CONNECTIONS_PER_USER } from './connection-limit.ts';
import { type Peer, watchPeer } from './peer.ts';

export type PublicEndpointOptions = {
  readonly socketPath: string;
  readonly services: readonly BoundService<WorkloadCall>[];
  readonly calls: CallDeps;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  /** How the log names what is served. */
  readonly apis: string;
  readonly maxConnectionsPerUser?: number;
};

/** Anybody on this machine may ask; who they are is found out for each call. */
const SOCKET_MODE = 0o777;
const DIRECTORY_MODE = 0o755;
/** Larger requests are refused (`reference/agent.md` §4.1). */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** Serves the public socket until it is disposed; what is under way then ends at once. */
export async function servePublicEndpoint(
  options: PublicEndpointOptions,
): Promise<AsyncDisposable> {
  const { socketPath, services, calls, apis, clock, log } = options;
  const rpc = createRpcServer<Peer, WorkloadCall>({
    services,
    intercept: workloadCalls(calls),
    log,
    maxReceiveBytes: MAX_REQUEST_BYTES,
  });
  const limit = new ConnectionLimit(
    options.maxConnectionsPerUser ?? MAX_CONNECTIONS_PER_USER,
    clock,
    log,
  );
  const connections = new Set<Socket>();
  const server = await listenUnix(socketPath, {
    mode: SOCKET_MODE,
    directoryMode: DIRECTORY_MODE,
    onConnection: (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
      accept(socket, { rpc, limit }).catch((error: unknown) => {
        log.warn('Connection failed during accept', { error: error as Error });
        socket.destroy();
      });
    },
  });
  log.info('Starting agent APIs', { network: 'unix', address: socketPath, apis });
  return {
    async [Symbol.asyncDispose]() {
      log.info('Stopping agent APIs');
      const closed = closing(server);
      await rpc[Symbol.asyncDispose]();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

type AcceptDeps = {
  readonly rpc: RpcServer<Peer>;
  readonly limit: ConnectionLimit;
};

/** Binds the connection to its process first; only then is anything read from it. */
async function accept(socket: Socket, { rpc, limit }: AcceptDeps): Promise<void> {
  socket.on('error', () => {}); // 'close' follows
  const { uid } = peerCredentials(socket);
  if (!limit.acquire(uid)) {
    socket.destroy();
    return;
  }
  socket.once('close', () => {
    limit.release(uid);
  });
  const peer = await watchPeer(socket);
  socket.once('close', () => {
    peer[Symbol.dispose]();
  });
  if (socket.destroyed) {
    peer[Symbol.dispose]();
    return;
  }
  // HTTP/2 costs far more memory than a socket; whoever connects and says nothing shall not get it.
  socket.once('readable', () => {
    // Readable is also what has ended.
    if (socket.readableLength > 0) rpc.inject(socket, peer);
    else socket.destroy();
  });
}

function closing(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  return promise;
}
