import { type Clock, unixSeconds } from '../../base/clock.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Authority } from './authority.ts';
import type { AuthorityKind } from './authority-kind.ts';
import type { JournalList } from './journal.ts';

type Keys = { readonly prepare: readonly string[]; readonly activate: readonly string[] };

/** SPIRE's names are not all alike. */
const keys: Record<AuthorityKind<Authority>['name'], Keys> = {
  'X509 CA': {
    prepare: ['ca', 'manager', 'x509_ca', 'prepare'],
    activate: ['ca', 'manager', 'x509_ca', 'activate'],
  },
  'JWT key': {
    prepare: ['ca', 'manager', 'jwt_key', 'prepare'],
    activate: ['manager', 'jwt_key', 'activate'],
  },
  'WIT key': {
    prepare: ['ca', 'manager', 'wit_key', 'prepare'],
    activate: ['manager', 'wit_key', 'activate'],
  },
};
const EXPIRATION = ['manager', 'x509_ca', 'rotate', 'expiration'];
const TTL = ['manager', 'x509_ca', 'rotate', 'ttl'];

/** The same kind, its preparations counted and timed. */
export const countedKind = <A extends Authority, L extends JournalList>(
  kind: AuthorityKind<A, L>,
  metrics: Metrics,
): AuthorityKind<A, L> => ({
  ...kind,
  prepare: (slot) => timedCall(metrics, keys[kind.name].prepare, () => kind.prepare(slot)),
});

export const countActivation = (metrics: Metrics, name: keyof typeof keys): void => {
  metrics.counter(keys[name].activate, 1);
};

/** When the X.509 CA that signs from now on ends, and in how many seconds. */
export function tellX509CaLife(
  { metrics, trustDomain, clock }: X509CaLifeDeps,
  { notAfter }: Authority,
): void {
  const labels = { trust_domain_id: trustDomain.name };
  metrics.gauge(EXPIRATION, notAfter, labels);
  metrics.gauge(TTL, notAfter - unixSeconds(clock), labels);
}

type X509CaLifeDeps = {
  readonly metrics: Metrics;
  readonly trustDomain: TrustDomain;
  readonly clock: Pick<Clock, 'now'>;
};
