import type { PluginSection } from '../../catalog/plugin-sections.ts';
import type { KeyType } from '../../crypto/keys.ts';
import type { HealthSettings } from '../../ops/health-settings.ts';
import type { LogSettings } from '../../ops/open-log.ts';
import type { ProfilingSettings } from '../../ops/profiling/start-profiling.ts';
import type { TelemetrySettings } from '../../ops/telemetry-settings.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { Subject } from '../../spiffe/subject.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { PolicySettings } from '../policy/open-policy.ts';
import type { FederationConfig } from './federation-config.ts';

/** A server's configuration, checked, with defaults filled in (`reference/server.md` §§1–4). Frozen. */
export type ServerConfig = {
  readonly trustDomain: TrustDomain;
  /** As configured; not made absolute. */
  readonly dataDir: string;
  /** An IP address, without brackets. */
  readonly bindAddress: string;
  readonly bindPort: number;
  /** Absolute. */
  readonly socketPath: string;
  readonly log: LogSettings;
  /** Of the proxies that say for whom they speak. */
  readonly proxyProtocolTrustedCidrs: readonly string[];
  /** undefined: it is not switched on. */
  readonly profiling: ProfilingSettings | undefined;
  readonly auditLogEnabled: boolean;
  readonly adminIds: readonly SpiffeId[];
  /** What decides who may call what; undefined: SPIRE's default policy does. */
  readonly policy: PolicySettings | undefined;
  readonly rateLimits: { readonly attestation: boolean; readonly signing: boolean };

  readonly caTtlSeconds: number;
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  readonly agentTtlSeconds: number;
  readonly caKeyType: KeyType;
  /** undefined: JWT-SVIDs are switched off. */
  readonly jwtKeyType: KeyType | undefined;
  /** undefined: WIT-SVIDs are not switched on. */
  readonly witKeyType: KeyType | undefined;
  readonly caSubject: Subject;
  readonly jwtIssuer: string | undefined;
  readonly witIssuer: string | undefined;

  readonly federation: FederationConfig;

  /** A selector with its own ID is added to every agent. */
  readonly agentIdAsSelector: boolean;
  /** undefined: attested nodes are never pruned. */
  readonly nodePruning: NodePruning | undefined;
  /** Of the tables that tell other servers of changes. */
  readonly pruneEventsOlderThanSeconds: number;

  /** undefined: no DataStore plugin is configured, which `unsupported` tells too. */
  readonly datastore: DatastoreSettings | undefined;
  /** The enabled ones in the file's order, without the DataStore. */
  readonly plugins: readonly PluginSection[];
  readonly telemetry: TelemetrySettings;
  readonly healthChecks: HealthSettings;
  readonly featureFlags: readonly string[];
  /** What is configured and cannot be run yet, one line each. */
  readonly unsupported: readonly string[];
};

export type NodePruning = {
  readonly expiredForSeconds: number;
  readonly batchSize: number;
  /** Also nodes that cannot attest again. */
  readonly includeTofu: boolean;
};

/** The data of the `sql` DataStore (`reference/server.md` §3.1). */
export type DatastoreSettings = {
  readonly databaseType: string;
  readonly connectionString: string;
  /** '' for none. */
  readonly readOnlyConnectionString: string;
  /** An older database is used as it is, or refused. */
  readonly disableMigration: boolean;
  readonly logSql: boolean;
  /** Keys that are set and mean nothing to an embedded database. */
  readonly withoutEffect: readonly string[];
  /** What SPIRE says of its data in `validate` and `run`, in its words. */
  readonly complaints: readonly string[];
  /** Why `run` refuses it, where `validate` does not; undefined if it does not. */
  readonly refusal: string | undefined;
  /** Set where its data is in a `plugin_data_file`, which `readDatastoreFile` reads. */
  readonly inFile: PluginSection | undefined;
};
