import { constants } from 'node:fs';
import { chmod, open } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';

/** Linux: a descriptor that stands for the file itself, whatever it is; Node does not name it. */
const O_PATH = 0o10_000_000;

/**
 * Sets the mode of the socket at that path, and of nothing else: where the folder is another user's, a link may have
 * taken its place in the meantime, and would lead us to any file. Throws 'failed-precondition' if that is so.
 */
export async function chmodSocket(path: string, mode: number): Promise<void> {
  if (process.platform !== 'linux') {
    await chmod(path, mode);
    return;
  }
  await using socket = await open(path, O_PATH | constants.O_NOFOLLOW);
  if (!(await socket.stat()).isSocket()) {
    throw new Fault('failed-precondition', `${path} was replaced while it was listened on`);
  }
  await chmod(`/proc/self/fd/${socket.fd}`, mode);
}
