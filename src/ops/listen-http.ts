import { lookup } from 'node:dns/promises';
import { type AddressInfo, isIP, type Server } from 'node:net';

/**
 * Starts listening. A name with addresses of both families is listened on with the IPv4 one, as Go does: probes and
 * scrapers of `localhost` may know 127.0.0.1 only. Rejects with Node's error.
 */
export async function listenHttp(server: Server, host: string, port: number): Promise<AddressInfo> {
  const address = isIP(host) === 0 ? (await lookup(host, { order: 'ipv4first' })).address : host;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => {
    server.removeListener('error', reject);
    resolve();
  });
  await promise;
  return server.address() as AddressInfo;
}
