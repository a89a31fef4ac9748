import { Fault, wrapFault } from '../../base/fault.ts';
import { generateKey, type KeyType, type PrivateKey } from '../../crypto/keys.ts';
import type { KeyManager, ManagedKey } from './contract.ts';

/** Makes the keys durable, or throws; then the ring stays as it was. */
export type Persist = (keys: readonly RingKey[]) => Promise<void>;
/** A key of ours can always leave: the disk key manager writes it, and Node's TLS signs with it. */
export type RingKey = ManagedKey & { toPkcs8(): Uint8Array };

/** Keys in memory, as both built-in key managers hold them. `persist` sees one state after another, never two at once. */
export function createKeyRing(loaded: readonly RingKey[], persist: Persist): KeyManager {
  let keys: ReadonlyMap<string, RingKey> = new Map(loaded.map((key) => [key.id, key]));
  let lastChange: Promise<unknown> = Promise.resolve();

  const replace = async (key: RingKey): Promise<ManagedKey> => {
    const changed = new Map(keys).set(key.id, key);
    await persist(sorted(changed));
    keys = changed;
    return key;
  };

  return {
    async generateKey(id, keyType) {
      try {
        checkKeyId(id);
        const key = ringKey(id, keyType, await generateKey(keyType));
        const change = lastChange.then(() => replace(key));
        lastChange = change.catch(() => undefined); // its caller is told; the next change goes on
        return await change;
      } catch (error) {
        throw wrapFault('failed to generate key', error);
      }
    },
    async getKey(id) {
      checkKeyId(id);
      return keys.get(id);
    },
    getKeys: async () => sorted(keys),
    async [Symbol.asyncDispose]() {
      await lastChange;
    },
  };
}

export const ringKey = (id: string, keyType: KeyType, key: PrivateKey): RingKey => ({
  id,
  keyType,
  publicKey: key.publicKey,
  sign: (message, hash) => key.sign(message, hash),
  toPkcs8: () => key.toPkcs8(),
});

function checkKeyId(id: string): void {
  if (id === '') throw new Fault('invalid', 'key id is required');
}

/** By ID, bytewise. */
const sorted = (keys: ReadonlyMap<string, RingKey>): readonly RingKey[] =>
  [...keys.values()].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
