import { type AddressInfo, isIP, type Server } from 'node:net';
import { listenFault } from '../base/listen-fault.ts';
import { createStrangers } from '../base/strangers.ts';

/**
 * Starts listening. A name with addresses of both families is listened on with the IPv4 one, as Go does: probes and
 * scrapers of `localhost` may know 127.0.0.1 only. Rejects in Go's words if the address cannot be had.
 */
export async function listenHttp(server: Server, host: string, port: number): Promise<AddressInfo> {
  const address = isIP(host) === 0 ? await addressOf(host) : host;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: unknown) => {
    reject(listenFault(address, port, error));
  };
  server.once('error', failed);
  server.listen({ host: address, port }, () => {
    server.removeListener('error', failed);
    resolve();
  });
  await promise;
  return server.address() as AddressInfo;
}

/** What resolves names is loaded where there is one. */
async function addressOf(host: string): Promise<string> {
  const { lookup } = await import('node:dns/promises');
  return (await lookup(host, { order: 'ipv4first' })).address;
}

/** Beyond so many connections the one that is there longest makes room: so whoever comes, asks and goes is answered. */
export function crowdOut(server: Server, maxConnections: number): void {
  const strangers = createStrangers(maxConnections);
  server.on('connection', (socket) => {
    strangers.add(socket);
  });
}
