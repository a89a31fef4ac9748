import type { KeyManager } from '../contract.ts';
import { createKeyRing } from '../key-ring.ts';
import { readKeysFile, writeKeysFile } from './keys-file.ts';

/**
 * Keys in memory and in a `keys.json`, which is read once, and written whole at each new key. Its folder must exist.
 * Nothing is written before the first new key.
 */
export async function openDiskKeyManager(path: string): Promise<KeyManager> {
  const keys = await readKeysFile(path);
  return createKeyRing(keys, (changed) => writeKeysFile(path, changed));
}
