import type { Log } from '../../ops/log.ts';
import type { Peer } from './peer.ts';

/** So long another process that holds the connection may be told what its caller would be. */
const LOOK_MILLISECONDS = 5000;

type Closable = { destroy(): void; once(event: 'close', listener: () => void): unknown };
type Watched = Pick<Peer, 'hasExited' | 'pid'>;

/**
 * Closes connections whose process has ended. Usually they are closed with it, but another process may have a copy of
 * the socket, and streams that are open would go on telling it what was the caller's.
 */
export class DepartedCallers implements Disposable {
  readonly #connections = new Map<Closable, Watched>();
  readonly #timer: NodeJS.Timeout;
  readonly #log: Log;

  constructor(log: Log, lookMilliseconds = LOOK_MILLISECONDS) {
    this.#log = log;
    this.#timer = setInterval(() => {
      this.#look();
    }, lookMilliseconds);
    this.#timer.unref();
  }

  watch(connection: Closable, peer: Watched): void {
    this.#connections.set(connection, peer);
    connection.once('close', () => {
      this.#connections.delete(connection);
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** One question to the kernel for each, which it answers at once. */
  #look(): void {
    for (const [connection, peer] of this.#connections) {
      if (!peer.hasExited()) continue;
      this.#log.warn('Closing the connection of a process that has ended; another one holds it', {
        pid: peer.pid,
      });
      connection.destroy();
    }
  }
}
