import type { Socket } from 'node:net';
import { monotonicMilliseconds } from '../base/monotonic.ts';

/**
 * On a local socket some clients (grpc-java) name the socket's path as `:authority`. It means nothing there, but Node's
 * HTTP/2 refuses it for the slashes, and offers no way not to. So the first request of a connection is looked at before
 * HTTP/2 gets it, and what is wrong in that field is replaced, byte for byte: requests that follow refer to it by the
 * compression's table.
 */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME_HEADER = 9;
const Frame = { headers: 1, priority: 2, settings: 4, ping: 6, windowUpdate: 8 } as const;
const Flag = { ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;
/** Many clients say nothing more before the server has: an empty SETTINGS, which is acknowledged. */
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, Frame.settings, 0, 0, 0, 0, 0]);

/** No first request is longer. */
const MAX_BYTES = 64 * 1024;
/** Nor does anybody send more before it has read our settings: headers, and DATA up to the window (RFC 9113 §6.9.2). */
const MAX_UNACKNOWLEDGED_BYTES = MAX_BYTES + 32 * 1024;
/** Whoever has not begun a request by then is left to HTTP/2 as it is. */
const PATIENCE_MILLISECONDS = 1000;
/** Nor is anybody waited for longer, however slowly the bytes come; who has not even acknowledged our settings is gone. */
const MAX_WAIT_MILLISECONDS = 20_000;

/**
 * Resolves when HTTP/2 may have the connection, whose first bytes are then still to be read from it; with false if it is
 * gone. The connection must not have been read from.
 */
export async function mendAuthority(socket: Socket): Promise<boolean> {
  const opening = new Opening();
  const deadline = monotonicMilliseconds() + MAX_WAIT_MILLISECONDS;
  while (!opening.isOver) {
    const left = deadline - monotonicMilliseconds();
    const chunk = await readSome(
      socket,
      opening.owesAcknowledgement ? left : Math.min(left, PATIENCE_MILLISECONDS),
    );
    if (chunk === 'closed' || (chunk === 'silent' && opening.owesAcknowledgement)) {
      socket.destroy();
      return false;
    }
    if (chunk === 'silent') break;
    if (opening.add(chunk)) socket.write(EMPTY_SETTINGS);
    if (opening.owesAcknowledgement && opening.bytes.length > MAX_UNACKNOWLEDGED_BYTES) {
      socket.destroy();
      return false;
    }
  }
  socket.unshift(opening.bytes);
  return !socket.destroyed;
}

/** What a client says before and with its first request. */
class Opening {
  bytes = Buffer.alloc(0);
  #at = 0;
  #requestSeen = false;
  #asked = false;
  #answered = false;

  /** The client was sent settings whose acknowledgement HTTP/2 must not see, as it did not send them. */
  get owesAcknowledgement(): boolean {
    return this.#asked && !this.#answered;
  }

  get isOver(): boolean {
    return this.#requestSeen && !this.owesAcknowledgement;
  }

  /** Whether settings are to be sent now. */
  add(chunk: Buffer): boolean {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    if (this.#at === 0 && !this.#readPreface()) return false;
    while (!this.isOver && this.#readFrame());
    if (this.bytes.length > MAX_BYTES) this.#requestSeen = true;
    const asks = !this.#requestSeen && !this.#asked && this.#at === this.bytes.length;
    this.#asked ||= asks;
    return asks;
  }

  #readPreface(): boolean {
    const have = Math.min(this.bytes.length, PREFACE.length);
    if (!this.bytes.subarray(0, have).equals(PREFACE.subarray(0, have))) this.#requestSeen = true;
    else if (have === PREFACE.length) this.#at = PREFACE.length;
    return this.#at > 0;
  }

  #readFrame(): boolean {
    const rest = this.bytes.subarray(this.#at);
    if (rest.length < FRAME_HEADER) return false;
    const end = FRAME_HEADER + rest.readUIntBE(0, 3);
    const [type = 0, flags = 0] = rest.subarray(3, 5);
    if (end > MAX_BYTES) this.#requestSeen = true;
    if (rest.length < end) return false;
    if (type === Frame.settings && (flags & Flag.ack) !== 0 && this.owesAcknowledgement) {
      this.#answered = true;
      this.bytes = Buffer.concat([this.bytes.subarray(0, this.#at), rest.subarray(end)]);
      return true;
    }
    if (type === Frame.headers) mendHeaders(rest.subarray(FRAME_HEADER, end), flags);
    this.#requestSeen ||= ![Frame.settings, Frame.windowUpdate, Frame.priority].includes(type as 2);
    this.#at += end;
    return true;
  }
}

/** One that goes on in another frame is left alone: it is none of a gRPC client's. */
function mendHeaders(payload: Buffer, flags: number): void {
  if ((flags & Flag.endHeaders) === 0) return;
  const padding = (flags & Flag.padded) !== 0;
  const start = (padding ? 1 : 0) + ((flags & Flag.priority) !== 0 ? 5 : 0);
  const end = payload.length - (padding ? (payload[0] ?? 0) : 0);
  if (start <= end) mendBlock(payload.subarray(start, end));
}

/** `:authority` in HPACK's static table (RFC 7541, appendix A). */
const AUTHORITY = 1;

/** Walks over a header block (RFC 7541 §6); only lengths matter, so the table need not be kept. */
export function mendBlock(block: Buffer): void {
  const walk = new HpackWalk(block);
  while (!walk.isDone) {
    const first = walk.peek();
    if ((first & 0x80) !== 0) walk.integer(7);
    else if ((first & 0xe0) === 0x20) walk.integer(5);
    else {
      const index = walk.integer((first & 0x40) !== 0 ? 6 : 4);
      if (index === 0) walk.string();
      const value = walk.string();
      if (index === AUTHORITY && !value.isHuffman) mendText(value.bytes);
    }
  }
}

/** As Huffman code a path is as long as this is; clients that send it use none for so short a text. */
const DASH = 0x2d;
const ALLOWED = /[A-Za-z0-9._:-]/;

function mendText(bytes: Buffer): void {
  for (const [index, byte] of bytes.entries()) {
    if (!ALLOWED.test(String.fromCharCode(byte))) bytes[index] = DASH;
  }
}

/** What is malformed ends the walk: HTTP/2 finds the same. */
class HpackWalk {
  readonly #block: Buffer;
  #at = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  get isDone(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    return this.#block[this.#at] ?? 0;
  }

  /** RFC 7541 §5.1. */
  integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#next() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#next();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    this.#at = this.#block.length;
    return 0;
  }

  /** RFC 7541 §5.2. */
  string(): { readonly isHuffman: boolean; readonly bytes: Buffer } {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { isHuffman, bytes };
  }

  #next(): number {
    const byte = this.peek();
    this.#at += 1;
    return byte;
  }
}

function readSome(socket: Socket, milliseconds: number): Promise<Buffer | 'silent' | 'closed'> {
  const { promise, resolve } = Promise.withResolvers<Buffer | 'silent' | 'closed'>();
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) resolve(chunk);
    else if (socket.readableEnded || socket.destroyed) resolve('closed');
  };
  const closed = () => {
    resolve('closed');
  };
  const timer = setTimeout(
    () => {
      resolve('silent');
    },
    Math.max(milliseconds, 0),
  );
  socket.on('readable', look);
  socket.once('end', closed);
  socket.once('close', closed);
  look();
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off('readable', look);
    socket.off('end', closed);
    socket.off('close', closed);
  });
}
