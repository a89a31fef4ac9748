import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { type VerifiedX509Svid, verifyX509Svid } from '../../spiffe/x509-svid.ts';
import type { BundleRegistry } from '../registry/contract.ts';

/** Strangers can connect as often as they like; their trust domain is named no more often than this. */
const WARNING_INTERVAL_MILLISECONDS = 60_000;
/** So many trust domains are remembered for that; more start over. */
const MAX_WARNED_TRUST_DOMAINS = 1000;

export type ClientVerifierDeps = {
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
  readonly adminIds: readonly SpiffeId[];
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

/** Throws unless the chain (DER, leaf first) is the X509-SVID of one who may connect (`reference/server.md` §5.3). */
export type VerifyClient = (chain: readonly Uint8Array[]) => Promise<VerifiedX509Svid>;

export function createClientVerifier(deps: ClientVerifierDeps): VerifyClient {
  const { bundles, trustDomain, clock } = deps;
  const admins = new Set(deps.adminIds.map(String));
  const warn = warnSometimes(deps);
  const bundleOf = (of: TrustDomain) => {
    const bundle = bundles.get(of);
    if (bundle === undefined && !of.equals(trustDomain)) warn(of);
    return bundle;
  };
  return async (chain) => {
    const verified = await verifyX509Svid(chain, bundleOf, unixSeconds(clock));
    const { id } = verified;
    if (id.memberOf(trustDomain) || admins.has(id.toString())) return verified;
    throw new Fault('denied', `unexpected trust domain in ID "${id.toString()}"`);
  };
}

function warnSometimes({ clock, log }: ClientVerifierDeps): (trustDomain: TrustDomain) => void {
  const warnedAt = new Map<string, number>();
  return ({ name }) => {
    const now = clock.now();
    if (now - (warnedAt.get(name) ?? -Infinity) < WARNING_INTERVAL_MILLISECONDS) return;
    if (warnedAt.size >= MAX_WARNED_TRUST_DOMAINS) warnedAt.clear();
    warnedAt.set(name, now);
    log.warn('No bundle found for foreign trust domain', { trust_domain: name });
  };
}
