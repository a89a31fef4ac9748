import { readConfigFile } from '../base/config-file.ts';
import { featureFlagComplaint } from '../base/feature-flags.ts';
import { Problems } from '../base/problems.ts';
import type { ConfigEnv } from '../ops/config-env.ts';
import { startLog } from '../ops/log-config.ts';
import type { AgentConfig } from './config/agent-config.ts';
import { buildAgentConfig, readTimes } from './config/build.ts';
import { checkBasics } from './config/check-basics.ts';
import type { AgentFlags } from './config/flags.ts';
import { mergeAgent } from './config/merge.ts';
import { readAgentFile } from './config/reading.ts';

export type {
  AgentConfig,
  ConfiguredBundleSource,
  RebootstrapMode,
  SdsSettings,
  WorkloadKeyType,
} from './config/agent-config.ts';
export type { AgentFlags } from './config/flags.ts';

const DEFAULT_PATH = 'conf/agent/agent.conf';

/**
 * Reads and checks an agent's configuration (`reference/agent.md` §1). Opens the log on the way, through `env`, and
 * writes to it what is odd. Throws a ConfigFault whose message is SPIRE's first complaint, and which tells all others
 * too. What cannot be run yet is no mistake: `unsupportedAgentSettings` lists it.
 */
export async function loadAgentConfig(flags: AgentFlags, env: ConfigEnv): Promise<AgentConfig> {
  const path = flags.config || DEFAULT_PATH;
  const file = await readConfigFile({
    path,
    cwd: env.cwd,
    expandEnv: flags.expandEnv ?? false,
    environment: env.environment,
    readFile: (name) => env.readFile(name),
  });
  const reading = readAgentFile(file, path);
  const merged = mergeAgent(reading, flags);
  const problems = new Problems(path);
  const { featureFlags, at } = reading.agent.experimental;
  const complaint = featureFlagComplaint(featureFlags);
  if (complaint !== undefined) problems.add(complaint, at('feature_flags'));
  checkBasics(reading, merged, problems);
  const deps = { reading, merged, problems, env };
  const times = readTimes(deps);
  const { log, settings: logSettings } = await startLog(merged.log, problems, env);
  return await buildAgentConfig({ ...deps, log, logSettings, times });
}

/** What a valid configuration asks for and this version cannot do yet: one line each. `run` refuses to start with any. */
export const unsupportedAgentSettings = (config: AgentConfig): readonly string[] =>
  config.unsupported;
