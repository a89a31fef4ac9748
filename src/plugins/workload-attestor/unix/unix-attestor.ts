import { stat } from 'node:fs/promises';
import { Fault, reasonOf } from '../../../base/fault.ts';
import {
  executableLink,
  processExecutable,
  processExists,
  readProcessStatus,
} from '../../../base/proc.ts';
import type { WorkloadAttestor } from '../contract.ts';
import { type FileIdentity, hashFile } from './hash-file.ts';
import type { NameFile } from './name-file.ts';

export type UnixAttestorDeps = {
  /** Whether `path` and `sha256` are found out too. */
  readonly discoverPath: boolean;
  /** Bytes of the largest executable that is hashed; 0: any, less: none. */
  readonly sizeLimit: number;
  readonly proc: string;
  readonly users: NameFile;
  readonly groups: NameFile;
};

/** Facts about the user, the groups and the executable of a process (`reference/workload-attestors.md` §2). */
export const createUnixAttestor = (deps: UnixAttestorDeps): WorkloadAttestor => ({
  name: 'unix',
  attest: (pid, signal) => attest(deps, pid, signal),
  async [Symbol.asyncDispose]() {},
});

async function attest(
  deps: UnixAttestorDeps,
  pid: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await step('failed to get process', () => checkExists(pid, deps.proc));
  const status = await step('UIDs lookup', () => readProcessStatus(pid, deps.proc));
  const uid = effective(status.uids, 'UIDs lookup: no UIDs for process');
  const gid = effective(status.gids, 'GIDs lookup: no GIDs for process');
  const selectors = [
    ...(await named('uid', 'user', uid, deps.users)),
    ...(await named('gid', 'group', gid, deps.groups)),
  ];
  for (const supplementary of status.supplementaryGids) {
    selectors.push(
      ...(await named('supplementary_gid', 'supplementary_group', supplementary, deps.groups)),
    );
  }
  if (deps.discoverPath) selectors.push(...(await executable(deps, pid, signal)));
  return selectors;
}

async function checkExists(pid: number, proc: string): Promise<void> {
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new Fault('internal', `invalid pid ${pid}`);
  if (!(await processExists(pid, proc))) throw new Fault('internal', 'process does not exist');
}

/** The second number is the effective one. */
function effective(ids: readonly string[], missing: string): string {
  const id = ids[1] ?? ids[0];
  if (id === undefined) throw new Fault('internal', missing);
  return id;
}

async function named(
  idKey: string,
  nameKey: string,
  id: string,
  names: NameFile,
): Promise<readonly string[]> {
  const name = await names.nameOf(id);
  return [`${idKey}:${id}`, ...(name === undefined ? [] : [`${nameKey}:${name}`])];
}

/** Read through `/proc`, so that it is the file that runs, in whatever mount namespace. */
async function executable(
  { proc, sizeLimit }: UnixAttestorDeps,
  pid: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const path = await step('path lookup', () => processExecutable(pid, proc));
  if (sizeLimit < 0) return [`path:${path}`];
  const link = executableLink(pid, proc);
  const hashed = await step('SHA256 digest', () => hashFile(link, sizeLimit, signal));
  await step('path lookup', () => checkUnchanged(pid, proc, path, hashed));
  return [`path:${path}`, `sha256:${hashed.digest}`];
}

/** A process may become another program between two looks; then path and hash are not those of one program. */
async function checkUnchanged(
  pid: number,
  proc: string,
  path: string,
  hashed: FileIdentity,
): Promise<void> {
  const { dev, ino } = await stat(executableLink(pid, proc));
  const isSame = dev === hashed.dev && ino === hashed.ino;
  if (!isSame || (await processExecutable(pid, proc)) !== path) {
    throw new Fault('internal', 'the process became another program while it was looked at');
  }
}

async function step<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new Fault('internal', `${what}: ${reasonOf(error)}`, { cause: error });
  }
}
