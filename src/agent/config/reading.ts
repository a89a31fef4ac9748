import { decodeComplaint } from '../../base/config-file.ts';
import type { HclFile } from '../../base/hcl/ast.ts';
import type { Position } from '../../base/hcl/position.ts';
import { Problems } from '../../base/problems.ts';
import { Settings } from '../../base/settings.ts';
import { KeyAudit } from '../../base/unknown-keys.ts';
import { type PluginSection, readPlugins } from '../../catalog/plugin-sections.ts';
import { type HealthSettings, readHealthChecks } from '../../ops/health-settings.ts';
import { readTelemetry, type TelemetrySettings } from '../../ops/telemetry-settings.ts';
import { type RawAgent, readAgent } from './read-agent.ts';

/** All of a configuration file, read but not checked. */
export type AgentReading = {
  readonly agent: RawAgent;
  /** undefined: no such section. What is wrong with them is in `pluginProblems`. */
  readonly plugins: readonly PluginSection[] | undefined;
  readonly pluginProblems: Problems;
  readonly telemetry: TelemetrySettings;
  readonly healthChecks: HealthSettings;
  readonly audit: KeyAudit;
  /** Where a key of the `agent` section stands; of a key that is not there undefined. */
  readonly at: (key: string) => Position | undefined;
};

/** Throws a ConfigFault if anything has the wrong type. */
export function readAgentFile(file: HclFile, path: string): AgentReading {
  const problems = new Problems(path);
  const audit = new KeyAudit();
  const root = Settings.of(file, problems);
  audit.refuse('top-level', root);
  const section = root.section('agent') ?? Settings.empty(problems);
  const agent = readAgent(section, audit);
  const telemetry = readTelemetry(root, audit);
  const healthChecks = readHealthChecks(root, audit);
  const pluginProblems = new Problems(path);
  const plugins = readPlugins(root.withProblems(pluginProblems), audit);
  problems.throwIfAny((reason) => decodeComplaint(path, reason));
  const at = (key: string): Position | undefined => section.positionOf(key);
  return { agent, plugins, pluginProblems, telemetry, healthChecks, audit, at };
}
