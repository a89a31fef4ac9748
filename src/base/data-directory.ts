import { access, constants, stat } from 'node:fs/promises';
import { Fault } from './fault.ts';
import { goErrorText, goFileError } from './go-file-error.ts';
import { makeFolders } from './make-folders.ts';

/** As SPIRE creates it; the umask comes on top (`reference/server.md` §5.1, `reference/agent.md` §2.1). */
const MODE = 0o755;

/** What is used of the file system. */
export type Folders = {
  readonly makeFolders: (path: string, mode: number) => Promise<void>;
  readonly access: (path: string, mode: number) => Promise<void>;
  readonly stat: (path: string) => Promise<{ readonly uid: number }>;
};

/**
 * Creates the data directory with what lies above it, or finds out that it can be used. Throws 'failed-precondition'
 * with what to do, having changed nothing.
 */
export async function openDataDirectory(
  path: string,
  folders: Folders = { makeFolders, access, stat },
): Promise<void> {
  try {
    await folders.makeFolders(path, MODE);
  } catch (error) {
    throw goFileError('mkdir', path, error);
  }
  try {
    await folders.access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { uid } = await folders.stat(path);
    throw new Fault(
      'failed-precondition',
      `data directory ${path} cannot be used: ${goErrorText(error)} (it belongs to uid ${uid}, this process runs as uid ${process.geteuid?.()}; run as its owner, change its owner, or set data_dir)`,
      { cause: error },
    );
  }
}
