import { createLevelControl } from '../../ops/level-control.ts';
import { loadServerConfig, unsupportedServerSettings } from '../../server/config.ts';
import { startServer } from '../../server/start.ts';
import { makeCommand } from '../kit/command.ts';
import { configEnv } from '../kit/config-env.ts';
import { refuseUnsafe } from '../kit/refuse-unsafe.ts';
import { runService } from '../kit/run-service.ts';
import { refuseUnsupported } from '../kit/unsupported.ts';
import { runFlags } from './run-flags.ts';

export const run = makeCommand({
  name: 'run',
  flags: runFlags,
  sharedFlags: {},
  kind: { flagFailure: (reason) => `${reason}\n`, failure: (reason) => `${reason}\n` },
  async run(flags, _shared, env) {
    await refuseUnsafe(env);
    await using configuring = configEnv(env);
    const config = await loadServerConfig(flags, configuring);
    refuseUnsupported(unsupportedServerSettings(config));
    const opened = configuring.openedLog();
    const { clock } = env;
    return await runService(
      {
        who: 'Server',
        opened,
        start: (signal) =>
          startServer(config, {
            log: opened.log,
            logLevels: createLevelControl(opened.log),
            onSigusr1: (listener) => env.signals.on(['SIGUSR1'], listener),
            clock,
            environment: env.variables,
            random: Math.random,
            signal,
          }),
        onFailure: (error) => {
          opened.log.error('Fatal run error', { error });
        },
      },
      env,
    );
  },
});
