import { lstat, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from './fault.ts';
import { readFileBounded } from './files.ts';
import { goFileError } from './go-file-error.ts';

/** Where Linux shows its processes; a container that sees the host's has them elsewhere. */
export const PROC = '/proc';

/** `Groups:` may list 65536 numbers of ten digits. */
const MAX_STATUS_BYTES = 1024 * 1024;
/** One line, of which only the name (64 bytes at most) has no fixed form. */
const MAX_STAT_BYTES = 16 * 1024;
/** How many fields a kernel of 2.6 shows after the name; fewer means that it is something else. */
const MIN_STAT_FIELDS = 38;
/** Fields are counted from 1, and the first after the name is the third (proc_pid_stat(5)). */
const START_TIME_FIELD = 22;
/** States of processes that run no more (proc_pid_stat(5)). */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x']);
const FIRST_FIELD_AFTER_NAME = 3;

/** What `/proc/<pid>/status` says of a process' owner; texts as they stand there. */
export type ProcessStatus = {
  /** Real, effective, saved, file system. */
  readonly uids: readonly string[];
  readonly gids: readonly string[];
  readonly supplementaryGids: readonly string[];
};

/** Throws in Go's words where there is no such process. */
export async function readProcessStatus(pid: number, proc = PROC): Promise<ProcessStatus> {
  const text = await readProcessFile(join(proc, String(pid), 'status'), MAX_STATUS_BYTES);
  const lines = new Map(text.split('\n').map(statusLine));
  const numbers = (key: string) => (lines.get(key) ?? '').split(/\s+/).filter(Boolean);
  return {
    uids: numbers('uid'),
    gids: numbers('gid'),
    supplementaryGids: numbers('groups'),
  };
}

/**
 * When a process started, in clock ticks since the machine did: with the PID it names a process for good, since PIDs
 * are used again. As the kernel writes it. Throws where there is no such process, or only what is left of one that has
 * ended until its parent asks for that (a zombie).
 */
export async function processStartTime(pid: number, proc = PROC): Promise<string> {
  const path = join(proc, String(pid), 'stat');
  const text = await readProcessFile(path, MAX_STAT_BYTES);
  // The name may hold anything, parentheses too.
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
  const startTime = fields[START_TIME_FIELD - FIRST_FIELD_AFTER_NAME] ?? '';
  if (!text.includes(')') || fields.length < MIN_STAT_FIELDS || !/^\d+$/.test(startTime)) {
    throw new Fault('internal', `${path} does not have the expected fields`);
  }
  if (ENDED.has(fields[0] ?? '')) throw new Fault('not-found', `process ${pid} has ended`);
  return startTime;
}

/** The path of the executable in the process' own mount namespace; ` (deleted)` follows where it is gone. */
export async function processExecutable(pid: number, proc = PROC): Promise<string> {
  const path = executableLink(pid, proc);
  try {
    return await readlink(path);
  } catch (error) {
    throw goFileError('readlink', path, error);
  }
}

/** Opens the executable itself, whatever mount namespace the process is in. */
export const executableLink = (pid: number, proc = PROC): string => join(proc, String(pid), 'exe');

/** By its folder where `proc` is a mounted file system, else by signal 0. Throws only for what it cannot find out. */
export async function processExists(pid: number, proc = PROC): Promise<boolean> {
  if (!(await isMountPoint(proc))) return answersSignal(pid);
  const path = join(proc, String(pid));
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw goFileError('stat', path, error);
  }
}

/** `key:` in any case, then its value. */
function statusLine(line: string): readonly [key: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, Math.max(0, colon)).toLowerCase(), line.slice(colon + 1)];
}

async function readProcessFile(path: string, maxBytes: number): Promise<string> {
  try {
    return Buffer.from(await readFileBounded(path, maxBytes)).toString('latin1');
  } catch (error) {
    throw goFileError('open', path, error);
  }
}

async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [inside, outside] = await Promise.all([lstat(path), lstat(join(path, '..'))]);
    if (inside.isSymbolicLink()) return false;
    return inside.dev !== outside.dev || inside.ino === outside.ino;
  } catch {
    return false; // then signals must do
  }
}

function answersSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;
