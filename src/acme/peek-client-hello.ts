import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Fault } from '../base/fault.ts';
import { type ClientHello, readClientHello } from './client-hello.ts';

/**
 * What a client says at the start of its connection, which is put back for whoever does the handshake. How long to
 * wait is the caller's to bound, by destroying the socket. Throws if it is gone, or speaks no TLS.
 */
export async function peekClientHello(socket: Socket): Promise<ClientHello> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = socket.read() as Uint8Array | null;
    if (chunk === null) {
      if (socket.destroyed || socket.readableEnded)
        throw new Fault('unavailable', 'the client is gone');
      await next(socket);
      continue;
    }
    chunks.push(chunk);
    const received = Buffer.concat(chunks);
    const hello = readClientHello(received);
    if (hello === undefined) continue;
    socket.unshift(received);
    return hello;
  }
}

/** Until there is more to read, or never will be. */
async function next(socket: Socket): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race(
      ['readable', 'end', 'close'].map((event) => once(socket, event, { signal })),
    );
  } finally {
    over.abort();
  }
}
