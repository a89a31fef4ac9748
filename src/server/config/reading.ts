import { decodeComplaint } from '../../base/config-file.ts';
import type { HclFile } from '../../base/hcl/ast.ts';
import type { Position } from '../../base/hcl/position.ts';
import { Problems } from '../../base/problems.ts';
import { Settings } from '../../base/settings.ts';
import { KeyAudit } from '../../base/unknown-keys.ts';
import { type PluginSection, readPlugins } from '../../catalog/plugin-sections.ts';
import { type HealthSettings, readHealthChecks } from '../../ops/health-settings.ts';
import { readTelemetry, type TelemetrySettings } from '../../ops/telemetry-settings.ts';
import { type RawFederation, readFederation } from './federation.ts';
import { type RawServer, readServer } from './read-server.ts';

/** All of a configuration file, read but not checked. */
export type ServerReading = {
  readonly server: RawServer;
  readonly federation: RawFederation | undefined;
  /** undefined: no such section. What is wrong with them is in `pluginProblems`. */
  readonly plugins: readonly PluginSection[] | undefined;
  readonly pluginProblems: Problems;
  readonly telemetry: TelemetrySettings;
  readonly healthChecks: HealthSettings;
  readonly audit: KeyAudit;
  /** Where a key of the `server` section stands; of a key that is not there undefined. */
  readonly at: (key: string) => Position | undefined;
  /** The same for its `experimental` section. */
  readonly atExperimental: (key: string) => Position | undefined;
};

/** Throws a ConfigFault if anything has the wrong type. */
export function readServerFile(file: HclFile, path: string): ServerReading {
  const problems = new Problems(path);
  const audit = new KeyAudit();
  const root = Settings.of(file, problems);
  audit.refuse('top-level', root);
  const section = root.section('server') ?? Settings.empty(problems);
  const server = readServer(section, audit);
  const federation = readFederation(section, audit);
  const telemetry = readTelemetry(root, audit);
  const healthChecks = readHealthChecks(root, audit);
  const pluginProblems = new Problems(path);
  const plugins = readPlugins(root.withProblems(pluginProblems), audit);
  problems.throwIfAny((reason) => decodeComplaint(path, reason));
  return {
    server,
    federation,
    plugins,
    pluginProblems,
    telemetry,
    healthChecks,
    audit,
    at: (key) => section.positionOf(key),
    atExperimental: (key) => server.experimental.settings?.positionOf(key),
  };
}
