import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it where they are missing; what is there already stays as it is. Rejects with Node's
 * error. Node's own `recursive` never ends where the folder above is there and still nothing can be made in it, as
 * below /proc.
 */
export async function makeFolders(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') {
      if (await isFolder(path)) return;
      throw error;
    }
    const above = dirname(path);
    if (above === path || (await isFolder(above))) throw error;
    await makeFolders(above, mode);
    await makeFolders(path, mode);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
