import type { Log } from '../../ops/log.ts';
import type { AgentReading } from './reading.ts';

/** What is odd but no mistake (`reference/agent.md` §1.10). */
export function tellOddities({
  reading,
  log,
}: {
  readonly reading: Pick<AgentReading, 'agent'>;
  readonly log: Log;
}): void {
  const { sds, experimental } = reading.agent;
  if (sds.defaultBundleName === sds.defaultAllBundlesName) {
    log.warn(
      'The "default_bundle_name" and "default_all_bundles_name" configurables have the same value. "default_all_bundles_name" will be ignored. Please configure distinct values or use the defaults. This will be a configuration error in a future release.',
    );
  }
  if (experimental.useSyncAuthorizedEntries !== undefined) {
    log.warn(
      "The 'use_sync_authorized_entries' configuration is deprecated. The option to disable it will be removed in SPIRE 1.13.",
      { alert: true, alert_type: 'deprecated_config' },
    );
  }
  if (isExperimental(experimental)) {
    log.warn(
      'Experimental features have been enabled. Please see doc/upgrading.md for upgrade and compatibility considerations for experimental features.',
    );
  }
  for (const flag of experimental.featureFlags) {
    log.warn(`Developer feature flag "${flag}" has been enabled`);
  }
}

/** Whether any value differs from that of a section that is not there. */
const isExperimental = (experimental: AgentReading['agent']['experimental']): boolean =>
  experimental.syncInterval !== '' ||
  experimental.jwtSvidCacheHitTimeout !== '' ||
  experimental.useSyncAuthorizedEntries !== undefined ||
  experimental.requirePqKem ||
  experimental.keepSvidsOnDisk ||
  experimental.broker !== undefined ||
  experimental.featureFlags.length > 0 ||
  experimental.rateLimits.some(({ limit }) => limit !== 0);
