import type { KeyType } from '../../crypto/keys.ts';
import type { Signer } from '../../crypto/signer.ts';

/** A key that a key manager keeps under an ID. The private half never leaves it. */
export interface ManagedKey extends Signer {
  readonly id: string;
}

/** Keeps key pairs for the server's authorities, or for the agent's own SVID. */
export interface KeyManager extends AsyncDisposable {
  /**
   * Makes a key under that ID, replacing the one it holds. When it resolves, the key is durable; when it rejects,
   * the former key is still there.
   */
  generateKey(id: string, keyType: KeyType): Promise<ManagedKey>;
  /** The key of that ID, or undefined if there is none. Throws only if the backend fails. */
  getKey(id: string): Promise<ManagedKey | undefined>;
  /** All keys, sorted by ID. */
  getKeys(): Promise<readonly ManagedKey[]>;
}
