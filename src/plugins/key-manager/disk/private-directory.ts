import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../../base/fault.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import { makeFolders } from '../../../base/make-folders.ts';

const PROBE = '.probe';

/** Creates the folder if need be, and finds out early whether files can be written there. Throws 'failed-precondition'. */
export async function openPrivateDirectory(path: string): Promise<void> {
  const probe = join(path, PROBE);
  await step('mkdir', path, () => makeFolders(path, 0o700));
  await step('open', probe, () => writeFile(probe, '', { mode: 0o600 }));
  await step('remove', probe, () => rm(probe));
}

async function step(operation: string, path: string, action: () => Promise<unknown>) {
  try {
    await action();
  } catch (error) {
    const reason = goFileError(operation, path, error).message;
    throw new Fault('failed-precondition', `directory validation failed: ${reason}`, {
      cause: error,
    });
  }
}
