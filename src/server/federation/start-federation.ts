import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { KeyManager } from '../../plugins/key-manager/contract.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { BundleEndpointConfig, FederationConfig } from '../config/federation-config.ts';
import { ALL_ADDRESSES, checkAddressFree } from '../endpoints/bind.ts';
import type { ServerSvidRotator } from '../endpoints/server-svid.ts';
import type { Registry } from '../registry/contract.ts';
import { startBundleManager } from './bundle-client/start-bundle-manager.ts';
import type { BundleEndpoint } from './bundle-endpoint/start-bundle-endpoint.ts';
import type { BundleManager } from './contract.ts';

export type FederationDeps = Pick<Registry, 'bundles' | 'relationships'> & {
  readonly config: FederationConfig;
  readonly trustDomain: TrustDomain;
  readonly svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>;
  readonly keyManager: KeyManager;
  readonly dataDir: string;
  readonly random: () => number;
  /** Variables that name proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** Both halves of federation: the own bundle is served, and those of others are fetched (`reference/server.md` §10). */
export type Federation = AsyncDisposable & {
  readonly bundleManager: BundleManager;
  /** Rejects when the bundle endpoint breaks down; never resolves. */
  readonly failed: Promise<never>;
};

/** Throws 'unavailable' if somebody listens where the bundle endpoint would. */
export async function checkBundleEndpointFree({ bundleEndpoint }: FederationConfig): Promise<void> {
  if (bundleEndpoint === undefined) return;
  await checkAddressFree(bundleEndpoint.address ?? ALL_ADDRESSES, bundleEndpoint.port);
}

export async function startFederation(deps: FederationDeps): Promise<Federation> {
  const { federatesWith, bundleEndpoint } = deps.config;
  await using opened = new AsyncDisposableStack();
  const endpoint = bundleEndpoint && opened.use(await serveBundle(bundleEndpoint, deps));
  const bundleManager = opened.use(startBundleManager({ ...deps, federatesWith }));
  const running = opened.move();
  return {
    bundleManager,
    failed: endpoint?.failed ?? new Promise<never>(() => {}),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function serveBundle(
  config: BundleEndpointConfig,
  { bundles, trustDomain, ...deps }: FederationDeps,
): Promise<BundleEndpoint> {
  // Most servers have none, and need not hold the code.
  const { startBundleEndpoint } = await import('./bundle-endpoint/start-bundle-endpoint.ts');
  return startBundleEndpoint({ ...deps, config, bundle: () => bundles.get(trustDomain) });
}
