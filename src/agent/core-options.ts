import type { Clock } from '../base/clock.ts';
import type { KeyType } from '../crypto/keys.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Tracer } from '../ops/tracing.ts';
import type { KeyManager } from '../plugins/key-manager/contract.ts';
import type { AgentNodeAttestor } from '../plugins/node-attestor/contract.ts';
import type { SvidStore } from '../plugins/svid-store/contract.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { BundleSource } from './attest/bundle-source.ts';
import type { RebootstrapDeps } from './attest/rebootstrap.ts';
import type { AgentDataFile } from './storage/agent-data-file.ts';

/** What an agent is made of, without its sockets. */
export type AgentCoreOptions = {
  readonly trustDomain: TrustDomain;
  /** As configured, a `spiffe://` prefix included. */
  readonly configuredTrustDomain: string;
  readonly serverHost: string;
  readonly serverPort: number;
  readonly bundleSource: BundleSource;
  readonly storage: AgentDataFile;
  readonly keyManager: KeyManager;
  /** Keys do not outlive the process. */
  readonly keysAreLost: boolean;
  readonly nodeAttestor: AgentNodeAttestor;
  readonly svidStores: readonly SvidStore[];
  readonly dataDirectory: string;
  /** Workloads' SVIDs outlive the process, sealed by a key of the key manager. */
  readonly keepSvidsOnDisk: boolean;
  readonly rebootstrap: Pick<RebootstrapDeps, 'mode' | 'delayMilliseconds'>;
  /** Agrees on keys with the server in no way that a quantum computer could undo. */
  readonly requirePostQuantum: boolean;
  readonly workloadX509SvidKeyType: KeyType;
  /** 0: not wanted. */
  readonly availabilityTargetSeconds: number;
  readonly syncIntervalMilliseconds: number;
  readonly useSyncAuthorizedEntries: boolean;
  readonly x509SvidCacheMaxSize: number;
  readonly jwtSvidCacheMaxSize: number;
  readonly jwtSvidCacheHitTimeoutMilliseconds: number;
  /** What the server is told that we are. */
  readonly version: string;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};
