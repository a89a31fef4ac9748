import {
  type AgentConfig,
  type AgentFlags,
  loadAgentConfig,
  unsupportedAgentSettings,
} from '../../agent/config.ts';
import { makeCommand } from '../kit/command.ts';
import { configEnv } from '../kit/config-env.ts';
import { withAllProblems } from '../kit/config-problems.ts';
import type { Env } from '../kit/env.ts';
import { unsupportedRemark } from '../kit/unsupported.ts';
import { runFlags } from './run-flags.ts';

const INVALID = 'SPIRE agent configuration file is invalid';

export const validate = makeCommand({
  name: 'validate',
  flags: runFlags,
  sharedFlags: {},
  kind: {
    flagFailure: (reason) => `${INVALID}: ${reason}\n`,
    failure: (reason) => `${INVALID}: ${reason}\n`,
  },
  async run(flags, _shared, env) {
    const config = await loadAndLog(flags, env);
    env.stdout.write('SPIRE agent configuration file is valid.\n');
    env.stderr.write(unsupportedRemark(unsupportedAgentSettings(config)));
  },
});

/** Closes the log, so that what loading says there comes out before the verdict. */
async function loadAndLog(flags: AgentFlags, env: Env): Promise<AgentConfig> {
  await using configuring = configEnv(env);
  return await loadAgentConfig(flags, configuring).catch(withAllProblems);
}
