import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * What to give a test as `skip` where it needs this program: false where it is on the PATH. Under CI a missing one must
 * fail, so there it is never skipped.
 */
export function missing(program: string): string | false {
  if (process.env['CI'] !== undefined || isOnPath(program)) return false;
  return `${program} is not on the PATH`;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The same for tests that start processes of other users. */
export const notRoot: string | false =
  process.env['CI'] === undefined &&
  process.getuid?.() !== 0 &&
  'only root can start processes of other users';
