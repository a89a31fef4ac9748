import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';

/** What the endpoint shows of itself to clients. */
export type EndpointIdentity = AsyncDisposable & {
  /** The certificate, its chain and its key; undefined while there is none yet. */
  current(): SecureContextOptions | undefined;
  /** Called when there is another; the returned function stops that. */
  onChange(listener: (current: SecureContextOptions) => void): () => void;
  /**
   * Resolves when the connection may have its handshake, or with false if it was dealt with otherwise. Throws to turn
   * it away. Absent where nothing needs to be known of a client.
   */
  admit?: (socket: Socket) => Promise<boolean>;
};

/** Those who want to know of changes. */
export class Listeners<T> {
  readonly #listeners = new Set<{ readonly tell: (value: T) => void }>();

  add(tell: (value: T) => void): () => void {
    const listener = { tell };
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  tell(value: T): void {
    for (const { tell } of this.#listeners) tell(value);
  }
}
