import type { Duplex } from 'node:stream';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import {
  experimental,
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { Fault } from '../base/fault.ts';
import type { Log } from '../ops/log.ts';
import { type CallBudget, noBudget } from './call-budget.ts';
import { type Callers, callerKeeper, type OpenCalls } from './callers.ts';
import { passOverDeadStreams } from './dead-streams.ts';
import { boundHeldRequests } from './held-requests.ts';
import { passOverLongDeadlines } from './long-deadlines.ts';
import { register } from './serve-method.ts';
import type { BoundService } from './service.ts';
import { answerUnknownMethods } from './unknown-method.ts';

/** One call, before anybody has looked at who makes it. */
export type RpcCall<Peer> = {
  /** `/package.Service/Method`. */
  readonly method: string;
  /** What came with the connection. */
  readonly peer: Peer;
  /**
   * undefined: the method streams its requests. The message is made of its bytes when it is first asked for, so that
   * who may not ask costs us none; that throws where it is malformed.
   */
  readonly request?: { readonly schema: DescMessage; readonly message: Message } | undefined;
  /** Aborts with a Fault when the caller goes away ('canceled'), runs out of time ('deadline') or the server stops. */
  readonly signal: AbortSignal;
  /** When the caller gives up, in milliseconds since the Unix epoch; Infinity if it never does. */
  readonly deadline: number;
  /** The text values of a request header, by its lower-case name. */
  header(name: string): readonly string[];
};

/**
 * Stands before every handler: makes the handler's context, or throws to refuse. `proceed` runs the handler to its
 * end and rejects with what it threw; that must be passed on.
 */
export type Interceptor<Peer, Context> = (
  call: RpcCall<Peer>,
  proceed: (context: Context) => Promise<void>,
) => Promise<void>;

export type RpcServerOptions<Peer, Context> = {
  readonly services: readonly BoundService<Context>[];
  readonly intercept: Interceptor<Peer, Context>;
  readonly log: Log;
  /** A larger request is refused with ResourceExhausted. */
  readonly maxReceiveBytes?: number;
  /** What the requests of one connection may take at once; it must be more than the largest of them. */
  readonly maxHeldBytes?: number;
  /** More calls at once on one connection wait their turn. */
  readonly maxConcurrentStreams?: number;
  /**
   * A connection that old, give or take a tenth, takes no new calls, and ends with its last one; so that clients
   * spread over several servers, and who never calls does not stay. Without it connections live on.
   */
  readonly maxConnectionAgeMilliseconds?: number;
  /** How long the calls of a connection that old may go on; without it, as long as they like. */
  readonly maxConnectionAgeGraceMilliseconds?: number;
  /** Of what one connection has not read yet, and of its tables; beyond it new calls on it are refused. */
  readonly maxConnectionMegabytes?: number;
  /** What calls of this peer's connections may take together, beside what each connection may. */
  readonly budgetOf?: (peer: Peer) => CallBudget;
  /** How long a connection may say nothing before it is asked for a sign of life; for tests. */
  readonly keepAliveMilliseconds?: number;
};

/** Serves gRPC on connections that others accepted. */
export interface RpcServer<Peer> extends AsyncDisposable {
  /** Takes over the connection. It must carry HTTP/2 in the clear: TLS, if any, is already unwrapped. */
  inject(connection: Duplex, peer: Peer): void;
  /**
   * Takes no new calls, waits so long for running ones, then aborts them. Resolves when all connections are closed,
   * with whether they ended by themselves.
   */
  shutDown(graceMilliseconds: number): Promise<boolean>;
}

/** gRPC's own default, which SPIRE keeps. */
export const DEFAULT_MAX_RECEIVE_BYTES = 4 * 1024 * 1024;
/** Some of the largest requests; batches of SVIDs are of a tenth of a megabyte. */
const DEFAULT_MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Enough for a busy agent's batches; a bound on what one connection can make us hold. */
const DEFAULT_MAX_CONCURRENT_STREAMS = 1000;
/** A list of 100,000 entries takes all of it, and may: only more calls are refused then. */
const DEFAULT_MAX_CONNECTION_MEGABYTES = 32;

/**
 * Connections that have been silent for so long are pinged, and ended if nothing comes back: peers that are gone or do
 * not read, and connections that Node has given up without closing them (after a goodbye followed by nonsense).
 */
const KEEP_ALIVE_MILLISECONDS = 60_000;
const KEEP_ALIVE_TIMEOUT_MILLISECONDS = 20_000;

/** What a client may take to answer a goodbye. */
const IDLE_GRACE_MILLISECONDS = 1000;
/** Sessions are destroyed by us; this only has to be later. */
const DRAIN_MARGIN_MILLISECONDS = 1000;

type Connection = {
  readonly socket: Duplex;
  readonly injector: ReturnType<Server['createConnectionInjector']>;
  readonly open: OpenCalls;
};

export function createRpcServer<Peer, Context>(
  options: RpcServerOptions<Peer, Context>,
): RpcServer<Peer> {
  const { maxReceiveBytes = DEFAULT_MAX_RECEIVE_BYTES } = options;
  const server = new Server({
    'grpc.max_receive_message_length': maxReceiveBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.maxConcurrentStreams ?? DEFAULT_MAX_CONCURRENT_STREAMS,
    'grpc.enable_channelz': 0,
    'grpc-node.max_session_memory':
      options.maxConnectionMegabytes ?? DEFAULT_MAX_CONNECTION_MEGABYTES,
    'grpc.keepalive_time_ms': options.keepAliveMilliseconds ?? KEEP_ALIVE_MILLISECONDS,
    'grpc.keepalive_timeout_ms': Math.min(
      KEEP_ALIVE_TIMEOUT_MILLISECONDS,
      options.keepAliveMilliseconds ?? KEEP_ALIVE_TIMEOUT_MILLISECONDS,
    ),
    ...(options.maxConnectionAgeMilliseconds !== undefined && {
      'grpc.max_connection_age_ms': options.maxConnectionAgeMilliseconds,
    }),
    ...(options.maxConnectionAgeGraceMilliseconds !== undefined && {
      'grpc.max_connection_age_grace_ms': options.maxConnectionAgeGraceMilliseconds,
    }),
  });
  // It would write what callers sent on standard error, past our log.
  setLogVerbosity(logVerbosity.NONE);
  const budgets = new WeakMap<object, CallBudget>();
  boundHeldRequests(
    server,
    { atOnce: options.maxHeldBytes ?? DEFAULT_MAX_HELD_BYTES, each: maxReceiveBytes },
    (interceptors) => budgets.get(interceptors as object) ?? noBudget,
  );
  passOverLongDeadlines(server);
  passOverDeadStreams(server);
  answerUnknownMethods(server, new Set(options.services.map(({ desc }) => desc.typeName)));
  const callers: Callers<Peer> = new WeakMap();
  const connections = new Set<Connection>();
  const stopping = new AbortController();
  for (const service of options.services) {
    for (const method of service.methods)
      register(server, method, options, callers, stopping.signal);
  }
  let isLeaving = false;
  const shutDown = async (graceMilliseconds: number) => {
    isLeaving = true;
    const { promise: allClosed, resolve } = Promise.withResolvers<void>();
    const checkClosed = () => connections.size === 0 && resolve();
    for (const { socket, injector } of connections) {
      socket.once('close', () => setImmediate(checkClosed));
      // Says goodbye now; its own destruction would come before ours, and calls could not be told why.
      injector.drain(graceMilliseconds + DRAIN_MARGIN_MILLISECONDS);
    }
    checkClosed();
    let graceful = true;
    // Whoever has no call, and does not heed the goodbye, is not waited for.
    const idle = setTimeout(
      () => {
        for (const { socket, open } of connections) if (open.size === 0) socket.destroy();
      },
      Math.min(graceMilliseconds, IDLE_GRACE_MILLISECONDS),
    );
    const timer = setTimeout(() => {
      graceful = false;
      stopping.abort(new Fault('unavailable', 'server is shutting down'));
      for (const { socket } of connections) setImmediate(() => socket.destroy());
    }, graceMilliseconds);
    await allClosed;
    clearTimeout(timer);
    clearTimeout(idle);
    stopping.abort(new Fault('unavailable', 'server is shutting down'));
    server.forceShutdown();
    return graceful;
  };
  return {
    inject(socket, peer) {
      // Accepted before, and only now known: nobody would wait for its end.
      if (isLeaving) {
        socket.destroy();
        return;
      }
      const open: OpenCalls = new Set();
      const interceptors = [callerKeeper(callers, peer, open)];
      const credentials = experimental.createServerCredentialsWithInterceptors(
        ServerCredentials.createInsecure(),
        interceptors,
      );
      if (options.budgetOf !== undefined) budgets.set(interceptors, options.budgetOf(peer));
      const connection = { socket, injector: server.createConnectionInjector(credentials), open };
      connections.add(connection);
      // Without destroy() every closed connection would leave an HTTP/2 server behind.
      socket.once('close', () => {
        connections.delete(connection);
        connection.injector.destroy();
      });
      // A reset by the peer is no news; 'close' follows.
      socket.on('error', () => {});
      connection.injector.injectConnection(socket);
    },
    shutDown,
    async [Symbol.asyncDispose]() {
      await shutDown(0);
    },
  };
}
