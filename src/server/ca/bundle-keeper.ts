import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { BundleOperation } from '../datastore/contract.ts';
import type { BundleRegistry } from '../registry/contract.ts';
import { appendAuthorities, type NewAuthorities } from './append-authorities.ts';
import { type PrunedBundle, pruneBundle } from './prune-bundle.ts';
import {
  type BundleChange,
  revokeJwtAuthority,
  revokeX509Authority,
  taintJwtAuthority,
  taintX509Authority,
} from './taint-bundle.ts';

/** What has expired stays so long, for clocks that are slow. */
const KEPT_AFTER_EXPIRY_SECONDS = 24 * 60 * 60;

const PRUNE = ['ca', 'manager', 'bundle', 'prune'];
const PRUNED = ['ca', 'manager', 'bundle', 'pruned'];

export type BundleKeeperDeps = {
  readonly bundles: Pick<BundleRegistry, 'get' | 'modify'>;
  readonly trustDomain: TrustDomain;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

/** Keeps the trust domain's own bundle in step with the authorities (`reference/server.md` §6.3). */
export type BundleKeeper = {
  /** Resolves with the bundle, which holds them all now. */
  append(added: NewAuthorities): Promise<Bundle>;
  /** Drops what expired a day ago. Failures are logged. */
  prune(): Promise<void>;
  /** These name authorities by subject key ID (lower-case hex) or key ID, and throw in the words of §6.4. */
  taintX509(subjectKeyId: string): Promise<void>;
  revokeX509(subjectKeyId: string): Promise<void>;
  taintJwt(keyId: string): Promise<void>;
  revokeJwt(keyId: string): Promise<void>;
};

export function createBundleKeeper({
  bundles,
  trustDomain,
  metrics,
  clock,
  log,
}: BundleKeeperDeps): BundleKeeper {
  const change = async (to: BundleChange, operation: BundleOperation): Promise<void> => {
    await bundles.modify(trustDomain, to, operation);
  };

  return {
    async append(added) {
      const bundle = await bundles.modify(
        trustDomain,
        (stored) => appendAuthorities(stored, trustDomain, added),
        'append',
      );
      if (bundle === undefined) throw new Fault('internal', 'the trust domain has no bundle');
      return bundle;
    },

    async prune() {
      let pruned: PrunedBundle | undefined;
      try {
        const before = unixSeconds(clock) - KEPT_AFTER_EXPIRY_SECONDS;
        const prune = (stored: Bundle | undefined) => {
          pruned = stored && pruneBundle(stored, before);
          return pruned?.bundle;
        };
        await timedCall(metrics, PRUNE, () => bundles.modify(trustDomain, prune, 'prune'));
      } catch (error) {
        log.error('Could not prune CA certificates', { error: reasonOf(error) });
        return;
      }
      if (pruned === undefined) return;
      if (pruned.bundle !== undefined) metrics.counter(PRUNED, 1);
      tell(log, pruned);
    },

    taintX509: (subjectKeyId) => change(taintX509Authority(subjectKeyId), 'taint-x509'),
    revokeX509: (subjectKeyId) => change(revokeX509Authority(subjectKeyId), 'revoke-x509'),
    taintJwt: (keyId) => change(taintJwtAuthority(keyId), 'taint-jwt'),
    revokeJwt: (keyId) => change(revokeJwtAuthority(keyId), 'revoke-jwt'),
  };
}

function tell(log: Log, { certificates, jwtKeys, witKeys }: PrunedBundle): void {
  for (const { serialNumber, notAfter } of certificates) {
    log.info('Pruning CA certificate due to expiration', {
      serial_num: serialNumber,
      expiration: new Date(notAfter * 1000),
    });
  }
  for (const [name, keys] of [
    ['JWT', jwtKeys],
    ['WIT', witKeys],
  ] as const) {
    for (const { keyId, expiresAt } of keys) {
      log.info(`Pruning ${name} signing key due to expiration`, {
        kid: keyId,
        expiration: new Date(expiresAt * 1000),
      });
    }
  }
}
