import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { Fault, wrapFault } from '../../base/fault.ts';
import { processStartTime } from '../../base/proc.ts';
import {
  type PeerCredentials,
  type ProcessHandle,
  peerCredentials,
  peerProcessHandle,
} from '../../rpc/peer-credentials.ts';

/** The process at the other end of a local connection, bound to it when it was accepted. */
export interface Peer extends Disposable {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Throws unless it is still that very process: its number may have gone to another one. */
  checkAlive(): Promise<void>;
  /** Whether the kernel says that it has ended; false where the kernel cannot say. */
  hasExited(): boolean;
}

/** Throws if the kernel does not say who it is, or the process has gone already (`reference/agent.md` §4.2). */
export const watchPeer = (socket: Socket): Promise<Peer> =>
  bindPeer(peerCredentials(socket), peerProcessHandle(socket));

/** Takes the handle over. Where there is none, the time at which the process started tells it from its successors. */
export async function bindPeer(
  credentials: PeerCredentials,
  handle: ProcessHandle | undefined,
  startTimeOfProcess: (pid: number) => Promise<string> = processStartTime,
): Promise<Peer> {
  const startTime = handle === undefined ? await startTimeOfProcess(credentials.pid) : undefined;
  return new WatchedPeer(credentials, startTime, handle);
}

class WatchedPeer implements Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Only where the kernel gives no handle. */
  readonly #startTime: string | undefined;
  readonly #handle: ProcessHandle | undefined;
  #isWatched = true;

  constructor(
    { pid, uid, gid }: PeerCredentials,
    startTime: string | undefined,
    handle: ProcessHandle | undefined,
  ) {
    this.pid = pid;
    this.uid = uid;
    this.gid = gid;
    this.#startTime = startTime;
    this.#handle = handle;
  }

  async checkAlive(): Promise<void> {
    if (!this.#isWatched) throw gone('caller is no longer being watched');
    // The kernel's own word, where it has one; then a number cannot have been used again.
    if (this.#handle?.isAlive() === false) throw gone('caller exit suspected due to failed poll');
    await this.#checkStartTime();
    await this.#checkOwner();
  }

  hasExited(): boolean {
    return this.#isWatched && this.#handle?.isAlive() === false;
  }

  [Symbol.dispose](): void {
    this.#isWatched = false;
    this.#handle?.[Symbol.dispose]();
  }

  async #checkStartTime(): Promise<void> {
    if (this.#startTime === undefined) return;
    const startTime = await processStartTime(this.pid).catch((error: unknown) => {
      throw wrapFault(
        'caller exit suspected due to failure to get starttime',
        error,
        'unauthenticated',
      );
    });
    if (startTime !== this.#startTime) {
      throw gone(
        `new process detected: process starttime ${startTime} does not match original caller ${this.#startTime}`,
      );
    }
  }

  /** A program that changed its user while it ran is not the one that connected. */
  async #checkOwner(): Promise<void> {
    const { uid, gid } = await stat(`/proc/${this.pid}`).catch(() => {
      throw gone('caller exit suspected due to failed proc stat');
    });
    if (uid !== this.uid) {
      throw gone(
        `new process detected: process uid ${uid} does not match original caller ${this.uid}`,
      );
    }
    if (gid !== this.gid) {
      throw gone(
        `new process detected: process gid ${gid} does not match original caller ${this.gid}`,
      );
    }
  }
}

const gone = (why: string): Fault => new Fault('unauthenticated', why);
