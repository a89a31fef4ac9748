import type { Socket } from 'node:net';
import { Fault } from '../../../base/fault.ts';
import { type ClaimedSource, readProxyHeader } from './proxy-header.ts';

/** A proxy sends its header at once, and a client that comes without one speaks first in TLS. */
const HEADER_TIMEOUT_MILLISECONDS = 10_000;

/**
 * Takes the header that a connection of a trusted proxy may begin with; what follows is left to be read. Resolves
 * with what it claims; undefined if there is no header, or it claims nothing. Throws if it is wrong or comes too late.
 */
export function takeProxyHeader(
  socket: Socket,
  timeoutMilliseconds = HEADER_TIMEOUT_MILLISECONDS,
): Promise<ClaimedSource | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<ClaimedSource | undefined>();
  let bytes = Buffer.alloc(0);
  const look = (): void => {
    for (let part = take(socket); part !== null; part = take(socket)) {
      bytes = Buffer.concat([bytes, part]);
    }
    try {
      const header = readProxyHeader(bytes);
      if (header === 'incomplete') return;
      stopLooking(); // putting something back says 'readable' again
      const rest = bytes.subarray(header?.length ?? 0);
      if (rest.length > 0) socket.unshift(rest);
      resolve(header?.source);
    } catch (error) {
      fail(error as Error);
    }
  };
  const gone = (): void => {
    fail(new Fault('unavailable', 'the client is gone'));
  };
  const fail = (error: Error): void => {
    stopLooking();
    reject(error);
  };
  const stopLooking = (): void => {
    clearTimeout(timer);
    socket.removeListener('readable', look);
    socket.removeListener('end', gone);
    socket.removeListener('close', gone);
  };
  const timer = setTimeout(() => {
    fail(new Fault('deadline', 'neither a PROXY protocol header nor anything else came in time'));
  }, timeoutMilliseconds);
  socket.on('readable', look);
  socket.on('end', gone);
  socket.on('close', gone);
  return promise;
}

const take = (socket: Socket): Buffer | null => socket.read() as Buffer | null;
