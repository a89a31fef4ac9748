import { readlink } from 'node:fs/promises';

/** The program that a process of this machine runs, or undefined where we may not know, or it has ended. */
export const programOf = (pid: number): Promise<string | undefined> =>
  readlink(`/proc/${pid}/exe`).catch(() => undefined);
