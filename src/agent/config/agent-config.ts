import type { PluginSection } from '../../catalog/plugin-sections.ts';
import type { KeyType } from '../../crypto/keys.ts';
import type { HealthSettings } from '../../ops/health-settings.ts';
import type { LogSettings } from '../../ops/open-log.ts';
import type { ProfilingSettings } from '../../ops/profiling/start-profiling.ts';
import type { TelemetrySettings } from '../../ops/telemetry-settings.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { BrokerSettings } from '../broker/settings.ts';
import type { RateLimitSettings } from './rate-limits.ts';

/** An agent's configuration, checked, with defaults filled in (`reference/agent.md` §1). Frozen. */
export type AgentConfig = {
  readonly trustDomain: TrustDomain;
  /** As configured, a `spiffe://` prefix included: it goes into a question to the trust bundle's URL. */
  readonly configuredTrustDomain: string;
  readonly serverAddress: string;
  readonly serverPort: number;
  /** As configured; not made absolute. */
  readonly dataDir: string;
  readonly log: LogSettings;
  /** undefined: it is not switched on. */
  readonly profiling: ProfilingSettings | undefined;
  /** Selectors that may be written to the log: prefixes of `type:value`. */
  readonly logSelectors: readonly string[];

  /** Absolute. */
  readonly socketPath: string;
  /** Absolute; undefined: there is no admin socket. */
  readonly adminSocketPath: string | undefined;
  readonly workloadApiEnabled: boolean;
  readonly sdsApiEnabled: boolean;
  readonly sds: SdsSettings;
  readonly authorizedDelegates: readonly SpiffeId[];

  /** '' for none. */
  readonly joinToken: string;
  readonly bundleSource: ConfiguredBundleSource;
  /** Keys for connections to the server are agreed on in no way that a quantum computer could undo. */
  readonly requirePostQuantum: boolean;
  /** Workloads' SVIDs outlive the process; a key of ours, which SPIRE passes over. */
  readonly keepSvidsOnDisk: boolean;
  readonly rebootstrap: { readonly mode: RebootstrapMode; readonly delaySeconds: number };

  readonly syncIntervalSeconds: number;
  readonly useSyncAuthorizedEntries: boolean;
  readonly workloadKeyType: WorkloadKeyType;
  /** 0: none. */
  readonly availabilityTargetSeconds: number;
  readonly x509SvidCacheMaxSize: number;
  readonly jwtSvidCacheMaxSize: number;
  readonly jwtSvidCacheHitTimeoutSeconds: number;
  readonly allowUnauthenticatedVerifiers: boolean;
  readonly allowedForeignJwtClaims: readonly string[];
  readonly rateLimits: RateLimitSettings;
  /** Undefined: there is no Broker API. */
  readonly broker: BrokerSettings | undefined;

  /** The enabled ones in the file's order. */
  readonly plugins: readonly PluginSection[];
  readonly telemetry: TelemetrySettings;
  readonly healthChecks: HealthSettings;
  readonly featureFlags: readonly string[];
  /** What is configured and cannot be run yet, one line each. */
  readonly unsupported: readonly string[];
};

export const rebootstrapModes = ['never', 'auto', 'always'] as const;
export type RebootstrapMode = (typeof rebootstrapModes)[number];

/** Key types of workloads' X509-SVIDs, in the order in which complaints list them. */
export const workloadKeyTypes = [
  'rsa-2048',
  'ec-p256',
  'ec-p384',
] as const satisfies readonly KeyType[];
export type WorkloadKeyType = (typeof workloadKeyTypes)[number];

export type SdsSettings = {
  readonly defaultSvidName: string;
  readonly defaultBundleName: string;
  readonly defaultAllBundlesName: string;
  readonly disableSpiffeCertValidation: boolean;
};

/** Where the agent learns whom to trust before its first attestation. */
export type ConfiguredBundleSource =
  /** Whoever answers is believed. */
  | { readonly kind: 'insecure' }
  | { readonly kind: 'path'; readonly path: string; readonly format: BundleFormat }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly format: BundleFormat;
      /** Asked over this socket in place of the URL's host. */
      readonly unixSocket: string | undefined;
    }
  /** Another SPIFFE implementation on this machine. */
  | { readonly kind: 'workload-api'; readonly address: string };

export type BundleFormat = 'pem' | 'spiffe';
