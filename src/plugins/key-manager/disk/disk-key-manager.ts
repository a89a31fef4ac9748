import { Fault } from '../../../base/fault.ts';
import type { KeyManager } from '../contract.ts';
import { createKeyRing } from '../key-ring.ts';
import { keysIn, readContent, writeKeysFile } from './keys-file.ts';

export type DiskKeyManagerOptions = {
  /** A file that somebody else has written since is not written over: their keys would be lost. */
  readonly refusesForeignKeys?: boolean;
};

/**
 * Keys in memory and in a `keys.json`, which is read once, and written whole at each new key. Its folder must exist.
 * Nothing is written before the first new key.
 */
export async function openDiskKeyManager(
  path: string,
  { refusesForeignKeys = false }: DiskKeyManagerOptions = {},
): Promise<KeyManager> {
  let known = await readContent(path);
  return createKeyRing(keysIn(known, path), async (changed) => {
    if (refusesForeignKeys) await checkUnchanged(path, known);
    known = await writeKeysFile(path, changed);
  });
}

async function checkUnchanged(path: string, known: Uint8Array | undefined): Promise<void> {
  const found = await readContent(path);
  if (found === undefined || (known !== undefined && Buffer.compare(found, known) === 0)) return;
  throw new Fault(
    'internal',
    `unable to write entries: ${path} was changed by another program since this one read it: two servers must not share their keys`,
  );
}
