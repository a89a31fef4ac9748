import type { ConfigEnv } from '../../ops/config-env.ts';
import type { LogSettings, OpenLog } from '../../ops/open-log.ts';
import type { Env } from './env.ts';

/** What a configuration is loaded with. Disposing it closes the log that loading opened. */
export type Configuring = ConfigEnv &
  AsyncDisposable & {
    /** The log; only after loading has succeeded. */
    openedLog(): OpenLog;
  };

export function configEnv(
  { cwd, variables, host }: Pick<Env, 'cwd' | 'variables' | 'host'>,
  openLog = (settings: LogSettings): Promise<OpenLog> => host.openLog(settings),
): Configuring {
  let opened: OpenLog | undefined;
  return {
    cwd,
    environment: variables,
    readFile: (path) => host.readFile(path),
    resolveHost: (name) => host.resolveHost(name),
    async openLog(settings) {
      opened = await openLog(settings);
      return opened.log;
    },
    openedLog() {
      if (opened === undefined) throw new Error('the configuration was loaded without a log');
      return opened;
    },
    async [Symbol.asyncDispose]() {
      await opened?.[Symbol.asyncDispose]();
    },
  };
}
