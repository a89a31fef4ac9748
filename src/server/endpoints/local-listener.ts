import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { wrapFault } from '../../base/fault.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { makeFolders } from '../../base/make-folders.ts';
import type { Log } from '../../ops/log.ts';
import { mendAuthority } from '../../rpc/path-authority.ts';
import { type PeerCredentials, peerCredentials } from '../../rpc/peer-credentials.ts';
import { listenUnix } from '../../rpc/unix-socket.ts';
import type { LocalPeer } from './peer.ts';

/** Who may use the private socket: its owner and its group (`reference/server.md` §5.3). */
const SOCKET_MODE = 0o770;
const DIRECTORY_MODE = 0o750;
/** Commands come one by one and the controller keeps a few; what is beyond is turned away. */
const MAX_CONNECTIONS = 1000;

/** What the kernel itself calls IDs that it cannot name; with `pid` 0, a process we cannot see. */
const UNKNOWN: PeerCredentials = { pid: 0, uid: 65534, gid: 65534 };

export type LocalListenerOptions = {
  readonly path: string;
  /** The audit log names the caller, so that one who cannot be named is turned away. */
  readonly mustNameCaller: boolean;
  readonly onPeer: (socket: Socket, peer: LocalPeer) => void;
  /** Called if the listener breaks down later. */
  readonly onFailure: (error: Error) => void;
  readonly log: Log;
};

/** Listens on the private socket. A socket that another server listens on is left alone and refused. */
export async function listenLocal(options: LocalListenerOptions): Promise<Disposable> {
  const { path, onFailure } = options;
  const listener = await open(path, (socket) => {
    welcome(socket, options);
  });
  listener.maxConnections = MAX_CONNECTIONS;
  listener.on('error', onFailure);
  return {
    [Symbol.dispose]() {
      listener.close();
    },
  };
}

async function open(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  try {
    await makeFolders(dirname(path), DIRECTORY_MODE);
  } catch (error) {
    const reason = goFileError('mkdir', dirname(path), error);
    throw wrapFault('unable to create socket directory', reason, 'failed-precondition');
  }
  return listenUnix(path, { mode: SOCKET_MODE, directoryMode: DIRECTORY_MODE, onConnection });
}

function welcome(socket: Socket, { mustNameCaller, onPeer, log }: LocalListenerOptions): void {
  // A reset before the first call is no news: 'close' follows.
  socket.on('error', () => undefined);
  const credentials = credentialsOf(socket, log);
  if (credentials === undefined && mustNameCaller) {
    socket.destroy();
    return;
  }
  const hand = (isThere: boolean) => {
    if (isThere) onPeer(socket, { kind: 'local', ...(credentials ?? UNKNOWN) });
  };
  void mendAuthority(socket).then(hand);
}

function credentialsOf(socket: Socket, log: Log): PeerCredentials | undefined {
  try {
    return peerCredentials(socket);
  } catch (error) {
    log.debug('Caller on the local socket cannot be named', { error: error as Error });
    return undefined;
  }
}
