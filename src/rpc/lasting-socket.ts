import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { reasonOf } from '../base/fault.ts';
import type { Log } from '../ops/log.ts';
import { listenUnix, type UnixListenOptions } from './unix-socket.ts';

export type LastingSocketOptions = UnixListenOptions & {
  readonly log: Log;
  /** Only tests know better. */
  readonly checkMilliseconds?: number;
};

/** So long a removed socket stays away. */
const CHECK_MILLISECONDS = 2000;

/**
 * As `listenUnix`, but a socket file that is removed while it is listened on comes back, with the folders above it as they
 * were: whoever tidies up `/tmp` would otherwise shut out every program that connects later. A file that somebody else
 * has put there is left alone. Ending it leaves connections as they are.
 */
export async function listenLastingly(
  path: string,
  options: LastingSocketOptions,
): Promise<AsyncDisposable> {
  const { log, checkMilliseconds = CHECK_MILLISECONDS } = options;
  let server: Server | undefined = await listenUnix(path, options);
  let own = await idOf(path);
  const folders = await modesAbove(path);
  let lastComplaint: string | undefined;

  const check = async (): Promise<void> => {
    const found = await idOf(path);
    if (found === own && server !== undefined) {
      lastComplaint = undefined;
      return;
    }
    if (found !== undefined && found !== own) {
      complain('Something else has taken the place of the socket');
      return;
    }
    if (server !== undefined) log.warn('The socket was removed: listening anew', { address: path });
    // Closing removes the file of that name, which must not be the new one.
    server?.close();
    server = undefined;
    try {
      await makeAsTheyWere(folders);
      server = await listenUnix(path, options);
      own = await idOf(path);
      lastComplaint = undefined;
    } catch (error) {
      complain(`Could not listen anew: ${reasonOf(error)}`);
    }
  };
  /** Once for each cause, as long as it lasts. */
  const complain = (what: string): void => {
    if (what !== lastComplaint) log.error(what, { address: path });
    lastComplaint = what;
  };

  let isEnded = false;
  let checking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    checking = checking.then(async () => {
      if (!isEnded) await check();
    });
  }, checkMilliseconds);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      isEnded = true;
      clearInterval(timer);
      await checking;
      await closing(server);
    },
  };
}

type FolderModes = readonly (readonly [path: string, mode: number])[];

/** The folders above a file, the root first. */
async function modesAbove(path: string): Promise<FolderModes> {
  const above = dirname(path);
  if (above === path) return [];
  const { mode } = await stat(above);
  return [...(await modesAbove(above)), [above, mode & 0o7777]];
}

/** Makes those that are gone, as they were: our umask has become strict since, and others have to come through. */
async function makeAsTheyWere(folders: FolderModes): Promise<void> {
  for (const [path, mode] of folders) {
    const isMade = await mkdir(path).then(
      () => true,
      () => false, // it is there, or what is wrong with it shows when it is listened in
    );
    if (isMade) await chmod(path, mode);
  }
}

/** Which file is there; undefined: none. */
const idOf = (path: string): Promise<string | undefined> =>
  lstat(path, { bigint: true }).then(
    ({ dev, ino }) => `${dev} ${ino}`,
    () => undefined,
  );

function closing(server: Server | undefined): Promise<void> {
  if (server === undefined) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  return promise;
}
