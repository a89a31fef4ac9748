import type { Socket } from 'node:net';
import { type Addressed, connectionKey } from '../../../base/connection-key.ts';
import type { Log } from '../../../ops/log.ts';
import { logList } from '../../../ops/log-list.ts';
import { plainAddress } from '../plain-address.ts';
import type { ClaimedSource } from './proxy-header.ts';
import { takeProxyHeader } from './take-header.ts';
import { trustedProxies } from './trusted-proxies.ts';

/** Where connections come from whose proxies say so. */
export interface ProxiedSources {
  /**
   * Resolves when the client may be listened to: at once, but for a trusted proxy's connection after its header.
   * Throws if that is wrong or does not come; the connection is of no use then.
   */
  hear(socket: Socket): Promise<void>;
  /** What the proxy of that connection claims; undefined: nothing, or there is none. */
  of(socket: Addressed): ClaimedSource | undefined;
}

/** For `proxy_protocol_trusted_cidrs`; undefined if it is empty: nobody is listened to for a header. */
export function createProxiedSources(
  cidrs: readonly string[],
  log: Log,
): ProxiedSources | undefined {
  if (cidrs.length === 0) return undefined;
  const proxies = trustedProxies(cidrs);
  const claims = new Map<string, ClaimedSource>();
  log.info('PROXY protocol enabled on TCP listener', { trusted_cidrs: logList(cidrs) });
  return {
    async hear(socket) {
      const { remoteAddress } = socket;
      if (remoteAddress === undefined || !proxies.has(plainAddress(remoteAddress))) return;
      const key = connectionKey(socket);
      const source = await takeProxyHeader(socket);
      if (source === undefined || socket.destroyed) return;
      claims.set(key, source);
      socket.once('close', () => {
        if (claims.get(key) === source) claims.delete(key);
      });
    },
    of: (socket) => claims.get(connectionKey(socket)),
  };
}
