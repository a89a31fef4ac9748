import type { KeyType } from '../../crypto/keys.ts';
import type { Signer } from '../../crypto/signer.ts';

/** A key that a key manager keeps under an ID. */
export interface ManagedKey extends Signer {
  readonly id: string;
  readonly keyType: KeyType;
  /**
   * The private half as PKCS#8 DER, for the agent's own TLS connections and the server's bundle endpoint: OpenSSL signs
   * their handshakes itself. Absent where the key cannot leave its manager.
   */
  toPkcs8?(): Uint8Array;
}

/** Keeps key pairs for the server's authorities, or for the agent's own SVID. */
export interface KeyManager extends AsyncDisposable {
  /**
   * Makes a key under that ID, replacing the one it holds. When it resolves, the key is durable; when it rejects,
   * the former key is still there. Throws 'invalid' for an empty ID.
   */
  generateKey(id: string, keyType: KeyType): Promise<ManagedKey>;
  /** The key of that ID, or undefined if there is none. Throws 'invalid' for an empty ID, else only if the backend fails. */
  getKey(id: string): Promise<ManagedKey | undefined>;
  /** All keys, sorted by ID. */
  getKeys(): Promise<readonly ManagedKey[]>;
}
