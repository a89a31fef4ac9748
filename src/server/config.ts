import { readConfigFile } from '../base/config-file.ts';
import { featureFlagComplaint } from '../base/feature-flags.ts';
import { Problems } from '../base/problems.ts';
import type { ConfigEnv } from '../ops/config-env.ts';
import { startLog } from '../ops/log-config.ts';
import { buildServerConfig } from './config/build.ts';
import { checkBasics } from './config/check-basics.ts';
import type { ServerFlags } from './config/flags.ts';
import { mergeServer } from './config/merge.ts';
import { readServerFile } from './config/reading.ts';
import type { ServerConfig } from './config/server-config.ts';

export type { ServerFlags } from './config/flags.ts';
export type { DatastoreSettings, NodePruning, ServerConfig } from './config/server-config.ts';

const DEFAULT_PATH = 'conf/server/server.conf';

/**
 * Reads and checks a server's configuration (`reference/server.md` §§1–4). Opens the log on the way, through `env`,
 * and writes to it what is odd. Throws a ConfigFault whose message is SPIRE's first complaint, and which tells all
 * others too. What cannot be run yet is no mistake: `unsupportedServerSettings` lists it.
 */
export async function loadServerConfig(flags: ServerFlags, env: ConfigEnv): Promise<ServerConfig> {
  const path = flags.config || DEFAULT_PATH;
  const file = await readConfigFile({
    path,
    cwd: env.cwd,
    expandEnv: flags.expandEnv ?? false,
    environment: env.environment,
    readFile: (name) => env.readFile(name),
  });
  const reading = readServerFile(file, path);
  const merged = mergeServer(reading, flags);
  const problems = new Problems(path);
  const complaint = featureFlagComplaint(reading.server.experimental.featureFlags);
  if (complaint !== undefined) problems.add(complaint, reading.atExperimental('feature_flags'));
  const trustDomain = merged.trustDomain.text;
  checkBasics(reading, { trustDomain, dataDir: merged.dataDir.text }, problems);
  const { log, settings: logSettings } = await startLog(merged.log, problems, env);
  return await buildServerConfig({ reading, merged, problems, log, logSettings, env });
}

/** What a valid configuration asks for and this version cannot do yet: one line each. `run` refuses to start with any. */
export const unsupportedServerSettings = (config: ServerConfig): readonly string[] =>
  config.unsupported;
