import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { eventually } from './programs.ts';

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Connections that say nothing. */
export class IdleConnections implements Disposable {
  readonly #sockets: Socket[] = [];
  #failed = 0;

  /** Connections that neither end has closed. */
  get open(): number {
    return this.#sockets.filter(({ destroyed, connecting }) => !destroyed && !connecting).length;
  }

  /** Connections that have been made, or could not be. */
  get settled(): boolean {
    return this.#sockets.every(({ connecting }) => !connecting);
  }

  /** How many could not even be made. */
  get failed(): number {
    return this.#failed;
  }

  /** Makes so many, some at a time: a listener's queue is short. */
  async make(address: Address, count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      for (let n = 0; n < Math.min(left, BATCH); n += 1) this.#connect(address);
      await eventually(() => this.settled, 'connections');
    }
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #connect(address: Address): void {
    const socket = connect(address);
    socket.once('error', () => {
      if (socket.connecting) this.#failed += 1;
    });
    socket.resume();
    this.#sockets.push(socket);
  }
}

const BATCH = 100;

/** How many files this process may have open. */
export function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}

/** Sends these bytes on a connection of their own; resolves with what came back when the other end has closed it. */
export function sendRaw(address: Address, bytes: Uint8Array | string): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const socket = connect(address);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined); // 'close' follows
  socket.on('close', () => {
    resolve(Buffer.concat(chunks));
  });
  socket.write(bytes);
  return promise;
}
