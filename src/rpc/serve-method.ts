import type { Readable } from 'node:stream';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import {
  type handleServerStreamingCall as GrpcHandler,
  Metadata,
  type Server,
  type ServerErrorResponse,
} from '@grpc/grpc-js';
import { Fault, reasonOf } from '../base/fault.ts';
import type { Caller, Callers } from './callers.ts';
import { decodeRequest } from './decode-request.ts';
import { type Lifetime, lifetimeOf } from './lifetime.ts';
import type { RpcCall, RpcServerOptions } from './serve.ts';
import { type BoundMethod, methodPath, serializer } from './service.ts';
import { codeOf, statusDetails } from './status.ts';

/** What the four kinds of grpc-js call have in common here. */
type GrpcCall = Parameters<GrpcHandler<unknown, unknown>>[0] & Readable;
type Failure = Pick<ServerErrorResponse, 'details' | 'metadata'> & { readonly code: number };
type Callback = (error: Failure | null, value?: unknown) => void;

const shapes = {
  unary: { type: 'unary', streamsRequests: false, streamsAnswers: false },
  server_streaming: { type: 'serverStream', streamsRequests: false, streamsAnswers: true },
  client_streaming: { type: 'clientStream', streamsRequests: true, streamsAnswers: false },
  bidi_streaming: { type: 'bidi', streamsRequests: true, streamsAnswers: true },
} as const;

/** Serves a method: each call goes through the interceptor, and what is thrown becomes its status. */
export function register<Peer, Context>(
  server: Server,
  { desc, handle }: BoundMethod<Context>,
  { intercept, log }: RpcServerOptions<Peer, Context>,
  callers: Callers<Peer>,
  stopping: AbortSignal,
): void {
  const path = methodPath(desc);
  const shape = shapes[desc.methodKind];

  const run = async (call: GrpcCall): Promise<unknown> => {
    const lifetime = lifetimeOf(call, stopping);
    // The connection's interceptor has set it before any handler runs.
    const caller = callers.get(call.metadata) as Caller<Peer>;
    let answer: unknown;
    let answered = false;
    try {
      if (desc.methodKind === 'unary') await takeSlot(caller, lifetime);
      const request = shape.streamsRequests ? undefined : requestOf(call, desc.input);
      await intercept(rpcCall(path, call, caller.peer, lifetime, request), async (context) => {
        const outcome = handle(request?.message ?? requestsOf(call, desc.input), context);
        if (shape.streamsAnswers) await writeAll(call, outcome as AsyncIterable<unknown>, lifetime);
        else answer = await outcome;
        answered = true;
      });
    } finally {
      lifetime.end();
    }
    if (!answered) throw new Fault('internal', 'the call was not handled');
    return answer;
  };

  const fail = (thrown: unknown): Failure => {
    if (!(thrown instanceof Fault)) {
      log.error('Unexpected error in a call', { method: path, error: thrown as Error });
    }
    const details = statusDetails(thrown);
    const metadata = new Metadata();
    if (details !== undefined) metadata.set('grpc-status-details-bin', Buffer.from(details));
    return { code: codeOf(thrown), details: reasonOf(thrown), metadata };
  };

  const answerStream = async (call: GrpcCall): Promise<void> => {
    try {
      await run(call);
      call.end();
    } catch (thrown) {
      call.emit('error', fail(thrown));
    }
  };
  const answerOnce = async (call: GrpcCall, callback: Callback): Promise<void> => {
    let answer: unknown;
    try {
      answer = await run(call);
    } catch (thrown) {
      callback(fail(thrown));
      return;
    }
    callback(null, answer);
  };
  server.register(
    path,
    (shape.streamsAnswers ? answerStream : answerOnce) as never,
    serializer(desc.output) as never,
    (bytes) => bytes,
    shape.type,
  );
}

/** Waits until the connection may have one more call worked on. Throws if the call is over before that. */
async function takeSlot(caller: Caller<unknown>, lifetime: Lifetime): Promise<void> {
  caller.slot = caller.slots.take();
  if (caller.slot.ready === undefined) return;
  await caller.slot.ready;
  if (lifetime.over !== undefined) throw lifetime.over;
}

function requestOf(call: GrpcCall, schema: DescMessage): NonNullable<RpcCall<never>['request']> {
  let message: Message | undefined;
  return {
    schema,
    get message() {
      message ??= decodeRequest(schema, call.request as Uint8Array);
      return message;
    },
  };
}

/** A request stream that is cut off ends the iteration with an error, never as if it were complete. */
async function* requestsOf(call: Readable, schema: DescMessage): AsyncGenerator {
  try {
    // Plain iteration would destroy the stream at its end, and with it the way back for the answers.
    const bytes: AsyncIterable<Uint8Array> = call.iterator({ destroyOnReturn: false });
    for await (const one of bytes) yield decodeRequest(schema, one);
  } catch (error) {
    throw error instanceof Fault ? error : new Fault('canceled', reasonOf(error), { cause: error });
  }
}

async function writeAll(
  call: GrpcCall,
  answers: AsyncIterable<unknown>,
  lifetime: Lifetime,
): Promise<void> {
  for await (const answer of answers) {
    if (lifetime.over !== undefined) throw lifetime.over;
    if (!call.write(answer)) await drained(call, lifetime);
  }
}

/** Waits for a slow reader; whoever never reads is ended with the call. */
function drained(call: GrpcCall, lifetime: Lifetime): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { signal } = lifetime;
  const stop = () => {
    call.removeListener('drain', done);
    reject(signal.reason as Error);
  };
  const done = () => {
    signal.removeEventListener('abort', stop);
    resolve();
  };
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  call.once('drain', done);
  return promise;
}

function rpcCall<Peer>(
  method: string,
  call: GrpcCall,
  peer: Peer,
  lifetime: Lifetime,
  request: RpcCall<Peer>['request'],
): RpcCall<Peer> {
  const { metadata } = call;
  return {
    method,
    peer,
    request,
    get signal() {
      return lifetime.signal;
    },
    get deadline() {
      return Number(call.getDeadline());
    },
    header: (name) => metadata.get(name).filter((value) => typeof value === 'string'),
  };
}
