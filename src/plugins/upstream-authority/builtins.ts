import type { Clock } from '../../base/clock.ts';
import type { BuiltIns, Plugin } from '../../catalog/plugin.ts';
import type { Log } from '../../ops/log.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { UpstreamAuthority } from './contract.ts';

/** What an upstream authority may use of the server. */
export type UpstreamAuthorityEnv = {
  readonly clock: Clock;
  readonly log: Log;
  readonly trustDomain: TrustDomain;
  /** Where the way to the network may be configured (HTTPS_PROXY, NO_PROXY). */
  readonly environment: Readonly<Record<string, string | undefined>>;
};
export type UpstreamAuthorityPlugin = Plugin<UpstreamAuthorityEnv, UpstreamAuthority>;

export const upstreamAuthorities: BuiltIns<UpstreamAuthorityPlugin> = {
  disk: () => import('./disk/server.ts'),
  spire: () => import('./spire/server.ts'),
};
