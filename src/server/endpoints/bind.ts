import { type AddressInfo, createServer, type Server } from 'node:net';
import { listenFault } from '../../base/listen-fault.ts';

/** What Go means by it when it listens for "tcp": all addresses, of both families. */
export const ALL_ADDRESSES = '0.0.0.0';
const BOTH_FAMILIES = '::';
const NO_IPV6: ReadonlySet<string | undefined> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** Starts listening. Throws 'unavailable' in Go's words if the address cannot be had. */
export async function bind(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    await listenOnAny(server, host, port);
  } catch (error) {
    throw listenFault(host, port, error);
  }
  return server.address() as AddressInfo;
}

/** Throws 'unavailable' as `bind` does if somebody listens there. */
export async function checkAddressFree(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await bind(server, host, port);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  await promise;
}

async function listenOnAny(server: Server, host: string, port: number): Promise<void> {
  if (host !== ALL_ADDRESSES) return listenOn(server, host, port);
  try {
    await listenOn(server, BOTH_FAMILIES, port);
  } catch (error) {
    if (!NO_IPV6.has((error as NodeJS.ErrnoException).code)) throw error;
    await listenOn(server, host, port);
  }
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host, port }, () => {
    server.removeListener('error', reject);
    resolve();
  });
  return promise;
}
