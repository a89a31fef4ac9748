import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** All that is in a folder: kind, mode, owner and content of each file, and when it was last written. */
export async function diskState(folder: string): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode, uid, gid, mtimeMs, ino } = await lstat(path);
    const content = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : '';
    const words = [mode.toString(8), uid, gid, ino, entry.isDirectory() ? '' : mtimeMs, content];
    state[relative(folder, path)] = words.join(' ');
  }
  return state;
}
