import { lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Fault, reasonOf } from '../base/fault.ts';
import { makeFolders } from '../base/make-folders.ts';
import { chmodSocket } from './chmod-socket.ts';

export type UnixListenOptions = {
  /** Of the socket file: who may connect. */
  readonly mode: number;
  /** Of folders that have to be made for it. */
  readonly directoryMode: number;
  readonly onConnection: (socket: Socket) => void;
};

/** `sun_path` has 108 bytes with its closing zero; longer ones would be cut off without a word. */
export const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Listens on a Unix socket. A socket file that nobody listens on any more is replaced; one that is in use, or any
 * other kind of file, is left as it is and refused with 'failed-precondition'. Closing the server removes the file.
 */
export async function listenUnix(path: string, options: UnixListenOptions): Promise<Server> {
  checkSocketPath(path);
  await makeFolders(dirname(path), options.directoryMode).catch(cannotUse(path));
  if ((await checkSocketFree(path)) === 'dead') await unlink(path);
  const server = createServer(options.onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Fault('unavailable', `cannot listen on ${path}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(path, resolve);
  });
  server.removeAllListeners('error');
  try {
    await chmodSocket(path, options.mode);
  } catch (error) {
    server.close();
    throw error;
  }
  return server;
}

/** Throws 'invalid' if the kernel would not take the path. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new Fault(
      'invalid',
      `socket path is too long: ${bytes} bytes, ${MAX_SOCKET_PATH_BYTES} are possible: ${path}`,
    );
  }
}

/** What is at a path that may be listened on: nothing, or a socket that nobody listens on any more. */
export type FreeSocketPath = 'absent' | 'dead';

/** Throws 'failed-precondition' if the path is in use, by a listener or by anything that is not a socket. */
export async function checkSocketFree(path: string): Promise<FreeSocketPath> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? undefined : cannotUse(path)(error),
  );
  if (found === undefined) return 'absent';
  if (!found.isSocket()) {
    throw new Fault(
      'failed-precondition',
      `cannot listen on ${path}: a file that is not a socket is there`,
    );
  }
  if (await isInUse(path)) {
    throw new Fault(
      'failed-precondition',
      `cannot listen on ${path}: another process is listening there; stop it, or choose another path`,
    );
  }
  return 'dead';
}

const cannotUse =
  (path: string) =>
  (error: unknown): never => {
    throw new Fault('failed-precondition', `cannot use ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  };

/** Whether somebody listens there. Whatever but a plain refusal counts as "yes": we must not take what may be in use. */
function isInUse(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => {
    socket.destroy();
    resolve(true);
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
  });
  return promise;
}
