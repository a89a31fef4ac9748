import type { Socket } from 'node:net';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { listenLastingly } from '../../rpc/lasting-socket.ts';
import { mendAuthority } from '../../rpc/path-authority.ts';
import { peerCredentials } from '../../rpc/peer-credentials.ts';
import { createRpcServer, type Interceptor, type RpcServer } from '../../rpc/serve.ts';
import type { BoundService } from '../../rpc/service.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { countedCalls } from './counted-calls.ts';
import { DepartedCallers } from './departed-callers.ts';
import { type Peer, watchPeer } from './peer.ts';
import type { UserLimits } from './user-limits.ts';

export type LocalEndpointOptions = {
  readonly socketPath: string;
  /** Of the socket file: who may connect. */
  readonly socketMode: number;
  /** Of folders that have to be made for it. */
  readonly directoryMode: number;
  readonly services: readonly BoundService<WorkloadCall>[];
  readonly intercept: Interceptor<Peer, WorkloadCall>;
  readonly limits: UserLimits;
  /** More on one connection wait for their turn; by default a thousand. */
  readonly maxCallsOfConnection?: number;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** Larger requests are refused (`reference/agent.md` §4.1). */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
/** One of these, and what honest workloads ask beside it. */
const MAX_HELD_BYTES = 5 * 1024 * 1024;

/**
 * Serves a Unix socket whose callers are processes of this machine, each connection bound to its own; until it is
 * disposed: what is under way then ends at once.
 */
export async function serveLocal(options: LocalEndpointOptions): Promise<AsyncDisposable> {
  const { socketPath, socketMode, directoryMode, services, limits, log } = options;
  const rpc = createRpcServer<Peer, WorkloadCall>({
    services,
    intercept: countedCalls(options.intercept, options.metrics),
    log,
    maxReceiveBytes: MAX_REQUEST_BYTES,
    maxHeldBytes: MAX_HELD_BYTES,
    ...(options.maxCallsOfConnection !== undefined && {
      maxConcurrentStreams: options.maxCallsOfConnection,
    }),
    budgetOf: (peer) => limits.budgetOf(peer),
  });
  const departed = new DepartedCallers(log);
  const connections = new Set<Socket>();
  const listening = await listenLastingly(socketPath, {
    mode: socketMode,
    directoryMode,
    log,
    onConnection: (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
      accept(socket, { rpc, limits, departed }).catch((error: unknown) => {
        log.warn('Connection failed during accept', { error: error as Error });
        socket.destroy();
      });
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      departed[Symbol.dispose]();
      const closed = listening[Symbol.asyncDispose]();
      await rpc[Symbol.asyncDispose]();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

type AcceptDeps = {
  readonly rpc: RpcServer<Peer>;
  readonly limits: UserLimits;
  readonly departed: DepartedCallers;
};

/** Binds the connection to its process first; only then is anything read from it. */
async function accept(socket: Socket, { rpc, limits, departed }: AcceptDeps): Promise<void> {
  socket.on('error', () => {}); // 'close' follows
  const { uid } = peerCredentials(socket);
  if (!limits.connections.acquire(uid)) {
    socket.destroy();
    return;
  }
  socket.once('close', () => {
    limits.connections.release(uid);
  });
  const peer = await watchPeer(socket);
  socket.once('close', () => {
    peer[Symbol.dispose]();
  });
  if (socket.destroyed) {
    peer[Symbol.dispose]();
    return;
  }
  departed.watch(socket, peer);
  // HTTP/2 costs far more memory than a socket; whoever connects and says nothing shall not get it.
  socket.once('readable', () => {
    // Readable is also what has ended.
    if (socket.readableLength === 0) socket.destroy();
    else void mendAuthority(socket).then((isThere) => isThere && rpc.inject(socket, peer));
  });
}
