import { Fault } from '../../../base/fault.ts';
import type { KeyManager } from '../contract.ts';
import { createKeyRing } from '../key-ring.ts';
import { keysIn, keysJson, readContent, writeContent } from './keys-file.ts';

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
  const found = await readContent(path);
  /** What may be there: what was written last, and before it, since that may have failed. */
  let known = [found];
  return createKeyRing(keysIn(found, path), async (changed) => {
    const content = Buffer.from(keysJson(changed));
    if (refusesForeignKeys) known = [await ownContent(path, known), content];
    await writeContent(path, content);
  });
}

async function ownContent(
  path: string,
  known: readonly (Uint8Array | undefined)[],
): Promise<Uint8Array | undefined> {
  const found = await readContent(path);
  const isFound = (content: Uint8Array | undefined) =>
    content !== undefined && found !== undefined && Buffer.compare(found, content) === 0;
  if (found === undefined || known.some(isFound)) return found;
  throw new Fault(
    'internal',
    `unable to write entries: ${path} was changed by another program since this one read it: two servers must not share their keys`,
  );
}
