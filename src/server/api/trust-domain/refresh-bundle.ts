import { goQuote } from '../../../base/go-quote.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { RefreshBundleRequest } from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleManager } from '../../federation/contract.ts';
import type { Call } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';

export type RefreshBundleDeps = { readonly bundleManager: Pick<BundleManager, 'refresh'> };

/** Answers when the bundle was fetched and stored; relationships of the configuration can be named too. */
export async function refreshBundle(
  { bundleManager }: RefreshBundleDeps,
  request: Pick<RefreshBundleRequest, 'trustDomain'>,
  call: Pick<Call, 'audit' | 'log' | 'signal'>,
): Promise<Record<string, never>> {
  const trustDomain = prefixed('failed to parse trust domain', () =>
    TrustDomain.parse(request.trustDomain),
  );
  call.audit({ trust_domain_id: request.trustDomain });
  const known = await bundleManager
    .refresh(trustDomain, call.signal)
    .catch(rethrow('failed to refresh bundle'));
  if (!known) throw notFound(`no relationship with trust domain ${goQuote(trustDomain.name)}`);
  call.log.debug('Bundle refreshed', { trust_domain_id: trustDomain.name });
  return {};
}
