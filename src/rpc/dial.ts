import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import {
  ChannelCredentials,
  type CallOptions as GrpcCallOptions,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { Fault, reasonOf } from '../base/fault.ts';
import { joinHostPort } from '../base/resolve-address.ts';
import { noTracer, type Tracer } from '../ops/tracing.ts';
import { type ClientTls, tlsCredentials } from './client-tls.ts';
import { type ConnectFailure, dialFailureText } from './dial-failure.ts';
import { httpProxyFor, type ProxyVariables } from './http-proxy.ts';
import { deserializer, methodPath, serializer } from './service.ts';
import { denialFromDetails, kindOfCode } from './status.ts';
import { traceCall, traceHeaders } from './trace-calls.ts';

export type { ClientTls } from './client-tls.ts';

export type CallOptions = {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMilliseconds?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

export type DialOptions = {
  /** `unix:/path`, or `host:port`. */
  readonly address: string;
  /** Undefined: in the clear, for Unix sockets. */
  readonly tls?: ClientTls | undefined;
  readonly maxReceiveBytes?: number | undefined;
  /** Environment variables that may name a proxy to go through; undefined: none is used. */
  readonly proxyVariables?: ProxyVariables | undefined;
  /** How failures name the address where that is not the address itself. */
  readonly shownAddress?: string | undefined;
  /** Calls that are made for something that is traced are part of its trace, at the other end too. */
  readonly tracer?: Tracer | undefined;
};

type Method<M extends DescMethod> = M extends {
  methodKind: 'unary';
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
  : M extends {
        methodKind: 'server_streaming';
        input: infer I extends DescMessage;
        output: infer O extends DescMessage;
      }
    ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
    : M extends {
          methodKind: 'client_streaming';
          input: infer I extends DescMessage;
          output: infer O extends DescMessage;
        }
      ? (
          requests: AsyncIterable<MessageInitShape<I>>,
          options?: CallOptions,
        ) => Promise<MessageShape<O>>
      : M extends {
            methodKind: 'bidi_streaming';
            input: infer I extends DescMessage;
            output: infer O extends DescMessage;
          }
        ? (
            requests: AsyncIterable<MessageInitShape<I>>,
            options?: CallOptions,
          ) => AsyncIterable<MessageShape<O>>
        : never;

/**
 * The methods of a service. Failures are Faults: the kind says the status code, the message is the status'. An aborted
 * signal rejects with the signal's reason. Streams start when they are first read.
 */
export type Client<S extends DescService> = {
  readonly [K in keyof S['method']]: Method<S['method'][K]>;
};

/** A connection, made when the first call needs it and made again when it is lost. Calls fail fast while there is none. */
export interface Channel extends Disposable {
  client<S extends DescService>(service: S): Client<S>;
}

/** Short, since whoever calls has a back-off of its own. */
const MAX_RECONNECT_MILLISECONDS = 1000;
const DEFAULT_MAX_RECEIVE_BYTES = 4 * 1024 * 1024;

export function dial(options: DialOptions): Channel {
  const { address, tls } = options;
  const proxy = tls && options.proxyVariables && httpProxyFor(address, options.proxyVariables);
  let failure: ConnectFailure | undefined;
  const credentials =
    tls === undefined
      ? ChannelCredentials.createInsecure()
      : tlsCredentials(
          address,
          tls,
          (text, step) => {
            failure = { text, step };
          },
          proxy,
        );
  const target = proxy === undefined ? address : joinHostPort(proxy.host, proxy.port);
  const grpc = new GrpcClient(target, credentials, {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MILLISECONDS,
    'grpc.max_receive_message_length': options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(options.address.startsWith('unix:') && { 'grpc.default_authority': 'localhost' }),
    ...(proxy !== undefined && { 'grpc.default_authority': address }),
  });
  const toFault = (error: unknown, signal: AbortSignal | undefined): unknown =>
    signal?.aborted ? signal.reason : faultFrom(error, options, failure);
  return {
    client: <S extends DescService>(service: S) =>
      Object.fromEntries(
        service.methods.map((method) => [
          method.localName,
          bindMethod(grpc, method, toFault, options.tracer ?? noTracer),
        ]),
      ) as Client<S>,
    [Symbol.dispose]: () => {
      grpc.close();
    },
  };
}

type ToFault = (error: unknown, signal: AbortSignal | undefined) => unknown;

function bindMethod(grpc: GrpcClient, method: DescMethod, toFault: ToFault, tracer: Tracer) {
  const path = methodPath(method);
  const [write, read] = [serializer(method.input), deserializer(method.output)];
  const requestStream = (call: RequestStream, requests: AsyncIterable<unknown>) =>
    pump(call, requests);
  const traced = (options: CallOptions) => withHeaders(options, traceHeaders(tracer));
  switch (method.methodKind) {
    case 'unary':
      return (request: never, options: CallOptions = {}) =>
        traceCall(tracer, path, (headers) =>
          untilAnswered(withHeaders(options, headers), toFault, (metadata, rpcOptions, done) =>
            grpc.makeUnaryRequest(path, write, read, request, metadata, rpcOptions, done),
          ),
        );
    case 'client_streaming':
      return (requests: AsyncIterable<unknown>, options: CallOptions = {}) =>
        traceCall(tracer, path, (headers) =>
          untilAnswered(withHeaders(options, headers), toFault, (metadata, more, done) => {
            const call = grpc.makeClientStreamRequest(path, write, read, metadata, more, done);
            requestStream(call as never, requests);
            return call;
          }),
        );
    case 'server_streaming':
      return (request: never, options: CallOptions = {}) =>
        answersOf(traced(options), toFault, (metadata, rpcOptions) =>
          grpc.makeServerStreamRequest(path, write, read, request, metadata, rpcOptions),
        );
    case 'bidi_streaming':
      return (requests: AsyncIterable<unknown>, options: CallOptions = {}) =>
        answersOf(traced(options), toFault, (metadata, rpcOptions) => {
          const call = grpc.makeBidiStreamRequest(path, write, read, metadata, rpcOptions);
          requestStream(call as never, requests);
          return call;
        });
  }
}

type Cancellable = { cancel(): void };
type RequestStream = Cancellable & NodeJS.WritableStream;
type Done = (error: ServiceError | null, value?: unknown) => void;

function untilAnswered(
  options: CallOptions,
  toFault: ToFault,
  start: (metadata: Metadata, options: GrpcCallOptions, done: Done) => Cancellable,
): Promise<unknown> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const call = start(metadataOf(options), callOptionsOf(options), (error, value) => {
    signal?.removeEventListener('abort', cancel);
    if (error === null) resolve(value);
    else reject(toFault(error, signal));
  });
  const cancel = () => {
    call.cancel();
  };
  signal?.addEventListener('abort', cancel, { once: true });
  return promise;
}

async function* answersOf(
  options: CallOptions,
  toFault: ToFault,
  start: (
    metadata: Metadata,
    options: GrpcCallOptions,
  ) => Cancellable & AsyncIterable<unknown> & NodeJS.EventEmitter,
): AsyncGenerator {
  const { signal } = options;
  signal?.throwIfAborted();
  const call = start(metadataOf(options), callOptionsOf(options));
  const cancel = () => {
    call.cancel();
  };
  signal?.addEventListener('abort', cancel, { once: true });
  // The iteration reports what went wrong; cancelling after its end emits once more.
  call.on('error', () => {});
  try {
    yield* call;
  } catch (error) {
    throw toFault(error, signal);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/** Writes the requests as they come. If their source fails, so does the call. */
function pump(call: RequestStream, requests: AsyncIterable<unknown>): void {
  const run = async () => {
    for await (const request of requests) {
      if (!call.writable) return;
      if (!call.write(request as never)) {
        await new Promise<void>((resolve) => {
          call.once('drain', resolve);
          call.once('close', resolve);
        });
      }
    }
    call.end();
  };
  run().catch(() => {
    call.cancel();
  });
}

const withHeaders = (options: CallOptions, more: CallOptions['headers']): CallOptions => ({
  ...options,
  headers: { ...options.headers, ...more },
});

function metadataOf({ headers }: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers ?? {})) metadata.set(name, value);
  return metadata;
}

const callOptionsOf = ({ timeoutMilliseconds }: CallOptions): GrpcCallOptions =>
  timeoutMilliseconds === undefined ? {} : { deadline: Date.now() + timeoutMilliseconds };

/** How grpc-js tells of a deadline that has passed here, and not at the server. */
const OWN_DEADLINE = /^Deadline exceeded after [\s\S]*$/;

function faultFrom(
  error: unknown,
  options: DialOptions,
  failure: ConnectFailure | undefined,
): Fault {
  const { code, details, metadata } = error as Partial<ServiceError>;
  if (code === undefined) return new Fault('unknown', reasonOf(error), { cause: error });
  const kind = kindOfCode(code);
  const text = (details ?? reasonOf(error)).replace(OWN_DEADLINE, 'context deadline exceeded');
  const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
  const denial = bytes instanceof Uint8Array ? denialFromDetails(bytes) : undefined;
  const message =
    kind === 'unavailable'
      ? (dialFailureText(text, options.shownAddress ?? options.address, failure) ?? text)
      : text;
  return new Fault(kind, message, { cause: error, ...(denial !== undefined && { denial }) });
}
