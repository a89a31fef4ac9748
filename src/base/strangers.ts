import type { Socket } from 'node:net';
import { type Addressed, connectionKey } from './connection-key.ts';

/** Beyond so many at once, the one who has been here longest makes room: honest clients take milliseconds. */
const MAX_STRANGERS = 1000;

export type Strangers = {
  add(socket: Socket): void;
  /** The same connection, seen through TLS: nobody to turn away any more. */
  isKnown(socket: Addressed): void;
  turnAway(): void;
};

/** Connections of which it is not known yet who is there; so that slow and silent clients crowd nobody out. */
export function createStrangers(max = MAX_STRANGERS): Strangers {
  const sockets = new Map<string, Socket>();
  return {
    add(socket) {
      const key = connectionKey(socket);
      sockets.set(key, socket);
      socket.once('close', () => sockets.get(key) === socket && sockets.delete(key));
      if (sockets.size > max) turnOldestAway(sockets);
    },
    isKnown(socket) {
      sockets.delete(connectionKey(socket));
    },
    turnAway() {
      for (const socket of sockets.values()) socket.destroy();
    },
  };
}

/** It is forgotten at once: of several that come before it is closed, each has another one make room. */
function turnOldestAway(sockets: Map<string, Socket>): void {
  const [oldest] = sockets;
  if (oldest === undefined) return;
  const [key, socket] = oldest;
  sockets.delete(key);
  socket.destroy();
}
