import type { Socket } from 'node:net';
import { type Addressed, connectionKey } from '../../../base/connection-key.ts';
import { createStrangers } from '../../../base/strangers.ts';

export type ConnectionLimits = {
  /** Beyond so many who have not asked yet, the one who has been here longest makes room. */
  readonly strangers: number;
  /** Whoever has not asked by then is turned away. */
  readonly requestMilliseconds: number;
  /** Whoever has not gone by then is turned away. */
  readonly connectionMilliseconds: number;
};

export type Connections = {
  add(socket: Socket): void;
  /** The same connection, seen through TLS or HTTP: it has asked something. */
  hasAsked(socket: Addressed): void;
  destroyAll(): void;
};

/** The connections of an endpoint to which clients come, ask one thing and go. */
export function createConnections(limits: ConnectionLimits): Connections {
  const strangers = createStrangers(limits.strangers);
  const asking = new Map<string, NodeJS.Timeout>();
  const sockets = new Set<Socket>();

  const forget = (key: string) => {
    clearTimeout(asking.get(key));
    asking.delete(key);
  };

  return {
    add(socket) {
      const key = connectionKey(socket);
      const turnAway = () => socket.destroy();
      const ends = setTimeout(turnAway, limits.connectionMilliseconds).unref();
      asking.set(key, setTimeout(turnAway, limits.requestMilliseconds).unref());
      sockets.add(socket);
      socket.once('close', () => {
        clearTimeout(ends);
        forget(key);
        sockets.delete(socket);
      });
      strangers.add(socket);
    },
    hasAsked(socket) {
      forget(connectionKey(socket));
      strangers.isKnown(socket);
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
