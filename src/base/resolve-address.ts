import { isIP } from 'node:net';

export type ResolveHost = (host: string) => Promise<string>;

const MAX_PORT = 65_535;

/** A host and a port as Go joins them: brackets around what has colons. */
export const joinHostPort = (host: string, port: number | string): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** The IP address of an address that is to be listened on. Throws with Go's words. */
export async function resolveBindAddress(
  host: string,
  port: number,
  resolveHost: ResolveHost,
): Promise<string> {
  if (port < 0 || port > MAX_PORT) throw new RangeError(`address ${port}: invalid port`);
  return isIP(host) === 0 ? await resolveHost(host) : host;
}
