import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { goFileError } from '../../base/go-file-error.ts';
import { makeFolders } from '../../base/make-folders.ts';
import type { Log } from '../../ops/log.ts';

/** Makes the folder that a socket is to be in, and those above it, where they are missing; says so. Throws with Go's words. */
export async function makeSocketFolder(
  socketPath: string,
  mode: number,
  message: string,
  log: Log,
): Promise<void> {
  const dir = dirname(socketPath);
  const isThere = await stat(dir).then(
    () => true,
    () => false, // whatever is wrong with it shows when it is made
  );
  if (isThere) return;
  log.info(message, { dir });
  await makeFolders(dir, mode).catch((error: unknown) => {
    throw goFileError('mkdir', dir, error);
  });
}
