import type { ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { CallBudget } from './call-budget.ts';

/** What grpc-js does with each new stream; the version is pinned, and a test tells when it no longer does. */
type StreamHandler = (interceptors: unknown, stream: ServerHttp2Stream, headers: unknown) => void;

/** RFC 9113 §7. Importing Node's constants would load what else there is. */
const ENHANCE_YOUR_CALM = 0xb;

export type HeldBytes = {
  /** All requests of a connection. */
  readonly atOnce: number;
  /** The largest one. */
  readonly each: number;
};

/**
 * Bounds what the requests of one connection take at once: those that are not whole yet, those that wait for their
 * turn, and those that are worked on; and what those of all connections take that have one budget. grpc-js holds each
 * of thousands of them up to its greatest size. The stream that goes beyond is reset, which clients understand as
 * "exhausted". A connection is known by the interceptors that were given with it.
 */
export function boundHeldRequests(
  server: Server,
  { atOnce, each }: HeldBytes,
  budgetOf: (interceptors: unknown) => CallBudget,
): void {
  const handlers = server as unknown as { _streamHandler: StreamHandler };
  const handle = handlers._streamHandler.bind(server);
  const connections = new WeakMap<object, ConnectionBytes>();
  handlers._streamHandler = (interceptors, stream, headers) => {
    const { session } = stream;
    if (session !== undefined) {
      const connection = connections.get(session) ?? new ConnectionBytes(atOnce);
      connections.set(session, connection);
      const budget = budgetOf(interceptors);
      if (!budget.open()) {
        stream.once('error', () => {});
        stream.close(ENHANCE_YOUR_CALM);
        return;
      }
      watch(stream, [connection, budget], new MessageGauge(each));
      stream.once('close', () => {
        budget.close();
      });
    }
    handle(interceptors, stream, headers);
  };
}

class ConnectionBytes implements Pick<CallBudget, 'hold'> {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  hold(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false;
    this.#held += bytes;
    return true;
  }
}

/** grpc-js, which comes next, pauses the stream; what it then reads is seen here first. */
function watch(
  stream: ServerHttp2Stream,
  budgets: readonly Pick<CallBudget, 'hold'>[],
  message: MessageGauge,
): void {
  const held = budgets.map(() => 0);
  const hold = (bytes: number) =>
    budgets.every((budget, index) => {
      const fits = budget.hold(bytes - (held[index] ?? 0));
      if (fits) held[index] = bytes;
      return fits;
    });
  stream.on('data', (chunk: Buffer) => {
    if (!hold(message.add(chunk))) stream.close(ENHANCE_YOUR_CALM);
  });
  stream.once('close', () => {
    hold(0);
  });
}

/** One byte of flags and four of length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const HEAD_BYTES = 5;

/** No less than a thousandth of what it was comes out of DEFLATE. */
const MAX_COMPRESSION = 1032;

/**
 * How much there is of the newest message of a stream, at the worst where it is compressed. Whoever asks for the next
 * one has done with it.
 */
class MessageGauge {
  readonly #maxBytes: number;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #missing = 0;
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; ) {
      if (this.#missing === 0 && this.#headBytes === HEAD_BYTES) this.#headBytes = 0;
      if (this.#headBytes < HEAD_BYTES) {
        const taken = chunk.copy(this.#head, this.#headBytes, at);
        this.#headBytes += taken;
        at += taken;
        this.#size = this.#headBytes;
        if (this.#headBytes === HEAD_BYTES) this.#missing = this.#head.readUInt32BE(1);
        continue;
      }
      const taken = Math.min(this.#missing, chunk.length - at);
      this.#missing -= taken;
      this.#size += taken;
      at += taken;
    }
    const isCompressed = this.#headBytes > 0 && this.#head[0] !== 0;
    return isCompressed ? Math.min(this.#size * MAX_COMPRESSION, this.#maxBytes) : this.#size;
  }
}
