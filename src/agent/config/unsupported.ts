import type { PluginSection } from '../../catalog/plugin-sections.ts';
import { whyPluginUnsupported } from '../../catalog/unsupported-plugin.ts';
import { type TelemetrySettings, unsupportedTelemetry } from '../../ops/telemetry-settings.ts';
import { agentPluginKinds } from './plugin-kinds.ts';

/** What of a valid configuration would be passed over in silence if the agent ran with it, one line each. */
export function findUnsupported(
  plugins: readonly PluginSection[],
  telemetry: TelemetrySettings,
): readonly string[] {
  return [
    ...plugins.flatMap(
      (plugin) => whyPluginUnsupported(plugin, agentPluginKinds[plugin.type]) ?? [],
    ),
    ...unsupportedTelemetry(telemetry),
  ];
}
