import { goQuote } from '../../base/go-quote.ts';
import type { PluginSection } from '../../catalog/plugin-sections.ts';
import { whyPluginUnsupported } from '../../catalog/unsupported-plugin.ts';
import { type TelemetrySettings, unsupportedTelemetry } from '../../ops/telemetry-settings.ts';
import { serverPluginKinds } from './plugin-kinds.ts';
import type { RawServer } from './read-server.ts';
import type { DatastoreSettings } from './server-config.ts';

/** What of a valid configuration would be passed over in silence if the server ran with it, one line each. */
export function findUnsupported(
  server: RawServer,
  datastore: DatastoreSettings | undefined,
  plugins: readonly PluginSection[],
  telemetry: TelemetrySettings,
): readonly string[] {
  return [
    ...unsupportedPolicy(server.experimental.authOpaPolicyEngine),
    ...unsupportedDatastore(datastore),
    ...plugins.flatMap(
      (plugin) => whyPluginUnsupported(plugin, serverPluginKinds[plugin.type]) ?? [],
    ),
    ...unsupportedTelemetry(telemetry),
  ];
}

/** A policy in text needs a whole engine; compiled it needs nothing (docs/decisions/opa.md). */
const REGO =
  'experimental.auth_opa_policy_engine: a rego_path is not supported; compile the policy with' +
  ' "opa build -t wasm -e spire/result" and name the policy.wasm in what that makes with wasm_path';

function unsupportedPolicy(policy: RawServer['experimental']['authOpaPolicyEngine']) {
  if (policy === undefined) return [];
  if (!policy.hasProvider) return ['policy engine configuration must define a provider'];
  if (policy.regoPath !== '') return [REGO];
  if (policy.wasmPath !== '') return [];
  return ['experimental.auth_opa_policy_engine.local.wasm_path must be configured'];
}

function unsupportedDatastore(datastore: DatastoreSettings | undefined): readonly string[] {
  if (datastore === undefined) return ['expecting a DataStore plugin'];
  if (datastore.refusal !== undefined) return [datastore.refusal];
  if (datastore.complaints.length > 0) return datastore.complaints;
  if (datastore.databaseType === 'sqlite3' || datastore.inFile !== undefined) return [];
  return [
    `DataStore "sql" with database_type ${goQuote(datastore.databaseType)} is not supported yet`,
  ];
}
