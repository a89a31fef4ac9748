import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Fault } from '../../base/fault.ts';

/** Lines wait so long for others to share a packet with. */
const FLUSH_MILLISECONDS = 100;
/** Lines that wait; more are dropped. Sending is quick: only a resolver that hangs lets so many come together. */
const MAX_WAITING_BYTES = 256 * 1024;
/** A name is looked up again after that, since receivers move. */
const LOOKUP_MILLISECONDS = 60_000;
/** And so soon where it has no address: each look may keep one of libuv's four threads for long. */
const FAILED_LOOKUP_MILLISECONDS = 5_000;
/** At the end the last lines have so long to go out. */
const CLOSE_MILLISECONDS = 1_000;

export type UdpTarget = { readonly host: string; readonly port: number };

export interface UdpLines extends AsyncDisposable {
  /** Sends a line, which ends with its line feed, soon; or never, if nobody is there. */
  push(line: string): void;
}

/** `host:port`, IPv6 in brackets. Throws 'invalid'. */
export function parseUdpTarget(address: string): UdpTarget {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new Fault('invalid', `"${address}" is no UDP address: it must be host:port`);
  }
  return { host: match[1] ?? (match[2] || 'localhost'), port };
}

/** Packs lines into packets. Nobody waits for the network, and nobody hears of its failures: that is UDP. */
export function openUdpLines(target: UdpTarget, maxPacketBytes: number): UdpLines {
  const receiver = createReceiver(target);
  let waiting: string[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> = Promise.resolve();

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting;
    waiting = [];
    sending = sending.then(async () => {
      await receiver.send(packets(lines, maxPacketBytes));
      for (const line of lines) waitingBytes -= line.length;
    });
  };
  return {
    push(line) {
      if (waitingBytes + line.length > MAX_WAITING_BYTES) return;
      waiting.push(line);
      waitingBytes += line.length;
      timer ??= setTimeout(flush, FLUSH_MILLISECONDS);
    },
    async [Symbol.asyncDispose]() {
      flush();
      const late = new AbortController();
      const { signal } = late;
      await Promise.race([
        sending,
        wait(CLOSE_MILLISECONDS, undefined, { signal }).catch(() => {}),
      ]);
      late.abort();
      receiver.close();
    },
  };
}

function* packets(lines: readonly string[], maxBytes: number): Generator<Buffer> {
  let packet = '';
  for (const line of lines) {
    if (packet !== '' && Buffer.byteLength(packet) + Buffer.byteLength(line) > maxBytes) {
      yield Buffer.from(packet);
      packet = '';
    }
    packet += line;
  }
  if (packet !== '') yield Buffer.from(packet);
}

type Receiver = { send(packets: Iterable<Buffer>): Promise<void>; close(): void };

function createReceiver({ host, port }: UdpTarget): Receiver {
  let socket: Socket | undefined;
  let address = '';
  let closed = false;
  let nextLookupAt = -Infinity;

  /** undefined while the name has no address. */
  const open = async (): Promise<Socket | undefined> => {
    const now = performance.now();
    if (now < nextLookupAt) return socket;
    nextLookupAt = now + FAILED_LOOKUP_MILLISECONDS;
    const found = await lookup(host).catch(() => undefined);
    if (found === undefined) return socket;
    nextLookupAt = now + LOOKUP_MILLISECONDS;
    if (found.address !== address) {
      socket?.close();
      address = found.address;
      socket = createSocket(found.family === 6 ? 'udp6' : 'udp4');
      socket.on('error', () => {}); // nobody listens there, now
      socket.unref();
    }
    return socket;
  };
  const sendOne = (from: Socket, packet: Buffer): Promise<void> =>
    new Promise((resolve) => {
      from.send(packet, port, address, () => {
        resolve();
      });
    });
  return {
    async send(all) {
      const from = await open();
      if (from === undefined) return;
      for (const packet of all) {
        if (closed) return; // the socket would throw
        await sendOne(from, packet);
      }
    },
    close() {
      closed = true;
      socket?.close();
    },
  };
}
