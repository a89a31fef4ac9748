import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import koffi from 'koffi';
import { Fault } from '../base/fault.ts';

/** Who is at the other end of a Unix socket, as the kernel noted it when they connected. */
export type PeerCredentials = { readonly pid: number; readonly uid: number; readonly gid: number };

/** From the kernel's headers; the same on every Linux architecture that we build for. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const UCRED_BYTES = 12;
const POLLIN = 1;
const ENOPROTOOPT = 92;

type Calls = {
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number;
  poll(fds: Buffer, count: number, timeoutMilliseconds: number): number;
};

let loaded: Calls | undefined;

/** Bound on first use: loading costs more than the calls, and clients never need them. */
function calls(): Calls {
  if (loaded === undefined) {
    const libc = koffi.load(null);
    loaded = {
      getsockopt: libc.func(
        'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ void *length)',
      ) as Calls['getsockopt'],
      poll: libc.func(
        'int poll(_Inout_ void *fds, unsigned long count, int timeout)',
      ) as Calls['poll'],
    };
  }
  return loaded;
}

/** Throws 'unavailable' where the kernel does not say (not a Unix socket, or already closed). */
export function peerCredentials(socket: Socket): PeerCredentials {
  const ucred = option(descriptorOf(socket), SO_PEERCRED, UCRED_BYTES);
  if (ucred === undefined) throw new Fault('unavailable', 'could not resolve caller information');
  const credentials = {
    pid: ucred.readInt32LE(0),
    uid: ucred.readUInt32LE(4),
    gid: ucred.readUInt32LE(8),
  };
  // 0: a process of another PID namespace, which we could not look at.
  if (credentials.pid === 0) throw new Fault('unavailable', 'could not resolve caller information');
  return credentials;
}

/** Keeps watch over one process, whatever becomes of its number. */
export interface ProcessHandle extends Disposable {
  isAlive(): boolean;
}

/**
 * The peer's process itself, or undefined where the kernel knows no such thing (before 6.5). Throws 'unavailable' where
 * it does and cannot give it: the process has ended, so its number may be another's by now, or we have too many files.
 */
export function peerProcessHandle(socket: Socket): ProcessHandle | undefined {
  const value = option(descriptorOf(socket), SO_PEERPIDFD, 4);
  if (value === undefined) return withoutHandle(koffi.errno());
  let pidfd = value.readInt32LE(0);
  return {
    isAlive() {
      if (pidfd === -1) return false;
      // struct pollfd { int fd; short events; short revents; }: readable once the process has ended.
      const pollfd = Buffer.alloc(8);
      pollfd.writeInt32LE(pidfd, 0);
      pollfd.writeInt16LE(POLLIN, 4);
      return calls().poll(pollfd, 1, 0) === 0;
    },
    [Symbol.dispose]() {
      if (pidfd !== -1) closeSync(pidfd);
      pidfd = -1;
    },
  };
}

/** Decides on the error number of a kernel that gave no handle. */
export function withoutHandle(errorNumber: number): undefined {
  if (errorNumber === ENOPROTOOPT) return undefined;
  throw new Fault('unavailable', 'could not resolve caller information');
}

function option(fd: number, name: number, bytes: number): Buffer | undefined {
  const value = Buffer.alloc(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  if (calls().getsockopt(fd, SOL_SOCKET, name, value, length) !== 0) return undefined;
  return length.readUInt32LE(0) === bytes ? value : undefined;
}

/** Node keeps it to itself, but the kernel wants it. */
function descriptorOf(socket: Socket): number {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) throw new Fault('unavailable', 'the connection is closed');
  return fd;
}
