import { type Bundle, emptyBundle } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { appendAuthorities, type NewAuthorities } from '../../ca/append-authorities.ts';
import type { BundleRegistry } from '../../registry/contract.ts';

/** Adds what the stored bundle lacks. Resolves with the bundle as it is then, also where it lacked nothing. */
export async function appendToBundle(
  bundles: Pick<BundleRegistry, 'modify'>,
  trustDomain: TrustDomain,
  added: NewAuthorities,
): Promise<Bundle> {
  let bundle = emptyBundle(trustDomain);
  const append = (stored: Bundle | undefined) => {
    const appended = appendAuthorities(stored, trustDomain, added);
    bundle = appended ?? stored ?? bundle;
    return appended;
  };
  await bundles.modify(trustDomain, append, 'append');
  return bundle;
}
