import { goQuote } from '../../base/go-quote.ts';
import type { PluginSection } from '../../catalog/plugin-sections.ts';
import { whyPluginUnsupported } from '../../catalog/unsupported-plugin.ts';
import { type TelemetrySettings, unsupportedTelemetry } from '../../ops/telemetry-settings.ts';
import type { MergedAgent } from './merge.ts';
import { agentPluginKinds } from './plugin-kinds.ts';
import type { RawAgent } from './read-agent.ts';

/** What of a valid configuration would be passed over in silence if the agent ran with it, one line each. */
export function findUnsupported(
  agent: RawAgent,
  merged: MergedAgent,
  plugins: readonly PluginSection[],
  telemetry: TelemetrySettings,
): readonly string[] {
  const { experimental } = agent;
  const named = [
    {
      name: 'trust_bundle_spiffe_workload_api',
      used: agent.trustBundleSpiffeWorkloadApi !== '',
    },
    {
      name: `rebootstrap_mode ${goQuote(merged.rebootstrapMode.text)}`,
      used: merged.rebootstrapMode.text !== 'never',
    },
    { name: 'experimental.require_pq_kem', used: experimental.requirePqKem },
  ];
  return [
    ...named.filter(({ used }) => used).map(({ name }) => `${name} is not supported yet`),
    ...plugins.flatMap(
      (plugin) => whyPluginUnsupported(plugin, agentPluginKinds[plugin.type]) ?? [],
    ),
    ...unsupportedTelemetry(telemetry),
  ];
}
