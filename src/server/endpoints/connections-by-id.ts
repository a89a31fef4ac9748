import type { Socket } from 'node:net';
import { createStrangers, type Strangers } from '../../base/strangers.ts';

/** Bounds what one identity, whose key somebody may have stolen, can make us hold. */
export type ConnectionsById = {
  /** Beyond the bound the connection of that identity which is there longest makes room. */
  add(id: string, socket: Socket): void;
};

export function createConnectionsById(max: number): ConnectionsById {
  const byId = new Map<string, { readonly sockets: Strangers; count: number }>();
  return {
    add(id, socket) {
      const known = byId.get(id) ?? { sockets: createStrangers(max), count: 0 };
      byId.set(id, known);
      known.count++;
      known.sockets.add(socket);
      socket.once('close', () => {
        known.count--;
        if (known.count === 0) byId.delete(id);
      });
    },
  };
}
