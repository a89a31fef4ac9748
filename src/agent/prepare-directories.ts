import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { goFileError } from '../base/go-file-error.ts';
import type { Log } from '../ops/log.ts';
import type { AgentConfig } from './config.ts';

/**
 * Makes the folder of the public socket if it is missing. Called before the umask is narrowed, since workloads of all
 * users must get through it (`reference/agent.md` §1.11). Throws with Go's words.
 */
export async function preparePublicDirectory(
  { socketPath, workloadApiEnabled, sdsApiEnabled }: AgentConfig,
  log: Log,
): Promise<void> {
  if (!workloadApiEnabled && !sdsApiEnabled) return;
  await prepare(dirname(socketPath), 'Creating spire agent UDS directory', log);
}

/** Makes the folder of the admin socket if it is missing. Called after the umask is narrowed. */
export async function prepareAdminDirectory(
  { adminSocketPath }: AgentConfig,
  log: Log,
): Promise<void> {
  if (adminSocketPath === undefined) return;
  await prepare(dirname(adminSocketPath), 'Creating admin UDS directory', log);
}

async function prepare(dir: string, message: string, log: Log): Promise<void> {
  if (await exists(dir)) return;
  log.info(message, { dir });
  try {
    await mkdir(dir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw goFileError('mkdir', dir, error);
  }
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
