import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault, reasonOf } from '../../base/fault.ts';
import { makeFolders } from '../../base/make-folders.ts';
import type { Log } from '../../ops/log.ts';

/** Makes the folder that a socket is to be in, and those above it, where they are missing; says so. */
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
    throw new Fault('failed-precondition', `cannot make ${dir}: ${reasonOf(error)}`, {
      cause: error,
    });
  });
}
