import { generateKey, type KeyType, type PrivateKey } from '../../src/crypto/keys.ts';

/** A key of that type, the same for all tests of the process: an RSA key takes a second to make. */
export function sharedKey(type: KeyType): Promise<PrivateKey> {
  const known = keys.get(type);
  if (known !== undefined) return known;
  const made = generateKey(type);
  keys.set(type, made);
  return made;
}

const keys = new Map<KeyType, Promise<PrivateKey>>();
