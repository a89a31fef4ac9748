import { type Bundle, emptyBundle, type KeyAuthority } from '../../../spiffe/bundle.ts';
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
  await bundles.modify(trustDomain, (stored) => {
    const appended = appendAuthorities(stored, trustDomain, added);
    bundle = appended ?? stored ?? bundle;
    return appended;
  });
  return bundle;
}

/** Publishing where no upstream authority keeps the trust domain's keys: the own bundle is where they are kept. */
export const publishToOwnBundle =
  (bundles: Pick<BundleRegistry, 'modify'>, trustDomain: TrustDomain) =>
  async (authority: KeyAuthority): Promise<readonly KeyAuthority[]> => {
    const bundle = await appendToBundle(bundles, trustDomain, { jwtAuthorities: [authority] });
    return bundle.jwtAuthorities;
  };
