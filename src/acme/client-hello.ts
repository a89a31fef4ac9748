import { Fault } from '../base/fault.ts';

/** What a TLS client says of itself before anything is decided (RFC 8446 §4.1.2). */
export type ClientHello = {
  /** In lower case; undefined if the client names no server. */
  readonly serverName: string | undefined;
  readonly protocols: readonly string[];
  readonly cipherSuites: readonly number[];
  /** Undefined: the client does not say. */
  readonly signatureSchemes: readonly number[] | undefined;
  readonly groups: readonly number[] | undefined;
};

/** Post-quantum key shares take 2 kB; nobody sends more than a few records. */
export const MAX_CLIENT_HELLO_BYTES = 16 * 1024;

const HANDSHAKE_RECORD = 0x16;
const CLIENT_HELLO = 1;
const extensions = { serverName: 0, groups: 10, signatureSchemes: 13, protocols: 16 };
const HOST_NAME = 0;

/** The hello at the start of what a client sent, undefined if more must come first. Throws 'invalid' if it is none. */
export function readClientHello(received: Uint8Array): ClientHello | undefined {
  const handshake = handshakeBytes(received);
  if (handshake.length < 4) return tooLong(received);
  const r = new Reader(handshake);
  if (r.number(1) !== CLIENT_HELLO) throw malformed();
  const length = r.number(3);
  if (length > MAX_CLIENT_HELLO_BYTES) throw malformed();
  if (handshake.length < 4 + length) return tooLong(received);
  return readHello(new Reader(handshake.subarray(4, 4 + length)));
}

function tooLong(received: Uint8Array): undefined {
  if (received.length > MAX_CLIENT_HELLO_BYTES) throw malformed();
  return undefined;
}

/** The content of the records (RFC 8446 §5.1), as far as it has come. */
function handshakeBytes(received: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < received.length; ) {
    if (received[at] !== HANDSHAKE_RECORD) throw malformed();
    if (received.length < at + 5) break;
    const length = ((received[at + 3] ?? 0) << 8) | (received[at + 4] ?? 0);
    parts.push(received.subarray(at + 5, at + 5 + length));
    at += 5 + length;
    if (parts.length === 1 && isWhole(parts[0])) break; // what follows is no concern of ours
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

function isWhole(handshake: Uint8Array | undefined): boolean {
  if (handshake === undefined || handshake.length < 4) return false;
  return handshake.length >= 4 + new Reader(handshake.subarray(1)).number(3);
}

function readHello(r: Reader): ClientHello {
  r.bytes(2 + 32); // version, random
  r.vector(1); // session
  const cipherSuites = r.vector(2).numbers(2);
  r.vector(1); // compression
  let hello: ClientHello = {
    serverName: undefined,
    protocols: [],
    cipherSuites,
    signatureSchemes: undefined,
    groups: undefined,
  };
  if (r.atEnd) return hello;
  const list = r.vector(2);
  while (!list.atEnd) {
    const kind = list.number(2);
    hello = { ...hello, ...readExtension(kind, list.vector(2)) };
  }
  return hello;
}

function readExtension(kind: number, content: Reader): Partial<ClientHello> {
  switch (kind) {
    case extensions.serverName:
      return { serverName: readServerName(content) };
    case extensions.groups:
      return { groups: content.vector(2).numbers(2) };
    case extensions.signatureSchemes:
      return { signatureSchemes: content.vector(2).numbers(2) };
    case extensions.protocols:
      return { protocols: content.vector(2).texts(1) };
    default:
      return {};
  }
}

/** RFC 6066 §3. */
function readServerName(content: Reader): string | undefined {
  const names = content.vector(2);
  while (!names.atEnd) {
    const kind = names.number(1);
    const name = names.vector(2).text();
    if (kind === HOST_NAME) return name.toLowerCase();
  }
  return undefined;
}

/** Reads TLS's presentation language (RFC 8446 §3). */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  bytes(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  number(size: number): number {
    return this.bytes(size).reduce((number, byte) => number * 256 + byte, 0);
  }

  /** What has its length before it. */
  vector(lengthSize: number): Reader {
    return new Reader(this.bytes(this.number(lengthSize)));
  }

  numbers(size: number): number[] {
    const numbers: number[] = [];
    while (!this.atEnd) numbers.push(this.number(size));
    return numbers;
  }

  texts(lengthSize: number): string[] {
    const texts: string[] = [];
    while (!this.atEnd) texts.push(this.vector(lengthSize).text());
    return texts;
  }

  text(): string {
    return Buffer.from(this.#bytes).toString('latin1');
  }
}

const malformed = (): Fault => new Fault('invalid', 'malformed TLS client hello');
