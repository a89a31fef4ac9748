import { readFileBounded } from '../base/files.ts';
import type { Log } from './log.ts';
import type { LogSettings } from './open-log.ts';

/** What reading a program's configuration needs of the world around it. */
export type ConfigEnv = {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Rejects with Node's error. */
  readFile(path: string): Promise<Uint8Array>;
  /** Opens the log as soon as it is known where to; what is wrong and what is odd goes there. Rejects with Go's words. */
  openLog(settings: LogSettings): Promise<Log>;
  /** An IP address of a host. Rejects with Go's words. */
  resolveHost(host: string): Promise<string>;
};

/** Far above any configuration file. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** The real files and names. */
export const configFiles: Pick<ConfigEnv, 'readFile' | 'resolveHost'> = {
  readFile: (path) => readFileBounded(path, MAX_CONFIG_BYTES),
  async resolveHost(host) {
    // Hardly any configuration names a host.
    const { lookup } = await import('node:dns/promises');
    try {
      return (await lookup(host)).address;
    } catch (error) {
      throw new Error(`lookup ${host}: no such host`, { cause: error });
    }
  },
};
