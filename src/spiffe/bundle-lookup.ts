import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import type { Bundle } from './bundle.ts';
import type { TrustDomain } from './trust-domain.ts';

/** What a caller wants a bundle for, with the reference client's words where there is none. */
const missing = {
  spiffe: (name: string) => `no SPIFFE bundle for trust domain ${name}`,
  x509: (name: string) => `no X.509 bundle for trust domain ${name}`,
  jwt: (name: string) => `no JWT bundle for trust domain ${name}`,
  wit: (name: string) => `no WIT bundle for trust domain ${name}`,
};
export type BundleUse = keyof typeof missing;

/** The bundle of that trust domain, and no other (Trust Domain and Bundle §4.1; B-10). Throws 'not-found'. */
export function bundleFor(
  bundles: Iterable<Bundle>,
  trustDomain: TrustDomain,
  use: BundleUse = 'spiffe',
): Bundle {
  for (const bundle of bundles) {
    if (bundle.trustDomain.equals(trustDomain)) return bundle;
  }
  throw new Fault('not-found', missing[use](goQuote(trustDomain.name)));
}
