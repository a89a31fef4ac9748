import { setTimeout as wait } from 'node:timers/promises';
import type { LineSink } from './logger.ts';

/** Writes some of the bytes and says how many. */
export type WriteSome = (bytes: Uint8Array) => Promise<number>;

/** Lines on their way to a file or a descriptor. */
export interface LineQueue extends LineSink {
  /** Resolves when all lines so far are written or lost. */
  drained(): Promise<void>;
  /** Exchanges the way out between two writes; resolves with the former one, which is no longer used. */
  redirect(writeSome: WriteSome): Promise<void>;
}

export type LineQueueOptions = {
  readonly writeSome: WriteSome;
  readonly isTerminal?: boolean;
  /** Makes the line that tells how many lines were lost, once lines can be written again. */
  readonly lossLine: (count: number, reason: string) => string;
};

/** A reader that has stopped reading may not cost us more memory; what comes on top is lost, and counted. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** A pipe that does not block is full; its reader gets so long before we try again. */
const RETRY_MILLISECONDS = 20;

/**
 * Lines are joined while a write is under way, so that there is never more than one, and the event loop never waits
 * for a disk or for whoever reads our output.
 */
export function createLineQueue({
  writeSome: initial,
  isTerminal = false,
  lossLine,
}: LineQueueOptions): LineQueue {
  let writeSome = initial;
  let waiting: string[] = [];
  let waitingBytes = 0;
  let lost = { count: 0, reason: '' };
  let draining: Promise<void> | undefined;

  const lose = (count: number, reason: string): void => {
    lost = { count: lost.count + count, reason };
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      const lines = waiting;
      const before = lost;
      waiting = [];
      waitingBytes = 0;
      lost = { count: 0, reason: '' };
      const told = before.count > 0 ? [lossLine(before.count, before.reason)] : [];
      try {
        await writeAll(writeSome, Buffer.from([...told, ...lines].join('')));
      } catch (error) {
        lose(before.count + lines.length, error instanceof Error ? error.message : String(error));
      }
    }
    draining = undefined;
  };

  return {
    isTerminal,
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (waitingBytes + bytes > MAX_WAITING_BYTES) {
        lose(1, 'written faster than they were taken');
        return;
      }
      waiting.push(line);
      waitingBytes += bytes;
      draining ??= drain();
    },
    async drained() {
      await draining;
    },
    async redirect(next) {
      // What waits already belongs to the new way out; only a write under way still uses the old one.
      writeSome = next;
      await draining;
    },
  };
}

async function writeAll(writeSome: WriteSome, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += await writeSome(bytes.subarray(written));
    } catch (error) {
      if (!isFull(error)) throw error;
      await wait(RETRY_MILLISECONDS);
    }
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EAGAIN';
