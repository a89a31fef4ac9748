import { nameFailure } from '../../catalog/name-failure.ts';
import type { KeyManager } from './contract.ts';

/** The same key manager; what it throws says `keymanager(<name>): ` first. */
export function namedKeyManager(name: string, keyManager: KeyManager): KeyManager {
  const named = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      throw nameFailure('KeyManager', name, error);
    }
  };
  return {
    generateKey: (id, keyType) => named(keyManager.generateKey(id, keyType)),
    getKey: (id) => named(keyManager.getKey(id)),
    getKeys: () => named(keyManager.getKeys()),
    [Symbol.asyncDispose]: () => keyManager[Symbol.asyncDispose](),
  };
}
