import { type AgentConfig, loadAgentConfig, unsupportedAgentSettings } from '../../agent/config.ts';
import { makeSocketFolder } from '../../agent/endpoint/socket-folder.ts';
import { startAgent } from '../../agent/start.ts';
import { createLevelControl } from '../../ops/level-control.ts';
import type { Log } from '../../ops/log.ts';
import { checkSocketPath } from '../../rpc/unix-socket.ts';
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
    const config = await loadAgentConfig(flags, configuring);
    refuseUnsupported(unsupportedAgentSettings(config));
    const opened = configuring.openedLog();
    await makePublicFolder(config, opened.log);
    const { clock, variables: environment } = env;
    return await runService(
      {
        who: 'Agent',
        opened,
        start: (signal) =>
          startAgent(config, {
            log: opened.log,
            logLevels: createLevelControl(opened.log),
            onSigusr1: (listener) => env.signals.on(['SIGUSR1'], listener),
            clock,
            random: Math.random,
            environment,
            signal,
          }),
      },
      env,
    );
  },
});

/** Workloads of all users come through it, so that it is made before the umask gets strict. */
async function makePublicFolder(
  { socketPath, workloadApiEnabled, sdsApiEnabled }: AgentConfig,
  log: Log,
): Promise<void> {
  if (!workloadApiEnabled && !sdsApiEnabled) return;
  checkSocketPath(socketPath);
  await makeSocketFolder(socketPath, 0o755, 'Creating spire agent UDS directory', log);
}
