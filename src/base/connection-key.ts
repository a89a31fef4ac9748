import type { Socket } from 'node:net';

/** A connection, or the same one seen through TLS. */
export type Addressed = Pick<Socket, 'remoteAddress' | 'remotePort'>;

/** No two connections to one listener have the same. */
export const connectionKey = ({ remoteAddress, remotePort }: Addressed): string =>
  `${remoteAddress} ${remotePort}`;
