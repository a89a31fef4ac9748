import { hash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { keyedBuckets } from '../../base/keyed-buckets.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { RateLimitSettings } from '../config/rate-limits.ts';

/** Keeps workloads from asking more often than the operator allows (`reference/agent.md` §4.4). */
export interface RateLimits {
  /** Takes one call or stream from what these selectors may have. Throws 'unavailable' if nothing is left. */
  take(method: string, selectors: ReadonlySet<string>): void;
}

export type RateLimitsDeps = {
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** The methods that each key of the configuration limits. */
const methods = {
  fetch_x509_svid: '/SpiffeWorkloadAPI/FetchX509SVID',
  fetch_jwt_svid: '/SpiffeWorkloadAPI/FetchJWTSVID',
  fetch_x509_bundles: '/SpiffeWorkloadAPI/FetchX509Bundles',
  fetch_jwt_bundles: '/SpiffeWorkloadAPI/FetchJWTBundles',
  stream_secrets: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  fetch_secrets: '/envoy.service.secret.v3.SecretDiscoveryService/FetchSecrets',
} satisfies Record<keyof RateLimitSettings, string>;

/** Calls a second, and at once, for each set of selectors; methods without a limit go free. */
export function createRateLimits(
  settings: RateLimitSettings,
  { clock, metrics, log }: RateLimitsDeps,
): RateLimits {
  const limited = new Map<string, ReturnType<typeof keyedBuckets>>();
  for (const [key, method] of Object.entries(methods)) {
    const limit = settings[key as keyof RateLimitSettings];
    if (limit === 0) continue;
    log.info('Workload API/SDS rate limiting enabled', { method, limit });
    limited.set(method, keyedBuckets(limit, clock));
  }
  return {
    take(method, selectors) {
      const bucketOf = limited.get(method);
      if (bucketOf === undefined) return;
      if (bucketOf(keyOf(selectors)).take(1, clock.now(), 0) !== undefined) return;
      metrics.counter(EXCEEDED, 1, { method });
      throw new Fault('unavailable', `rate limit exceeded for ${method}`);
    },
  };
}

const EXCEEDED = ['workload_api', 'rate_limit_exceeded'];

/** Workloads with the same selectors share what they may have; so do those of whom nothing is known. */
const keyOf = (selectors: ReadonlySet<string>): string =>
  selectors.size === 0
    ? '<unattested>'
    : hash('sha256', [...selectors].sort().join('\0'), 'base64url');
