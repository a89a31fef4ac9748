import { reasonOf } from '../../base/fault.ts';
import { isUnknownAuthority } from '../server/rpc-failure.ts';
import type { BundleSource } from './bundle-source.ts';

/** What an agent knows that has never attested, as far as it can be wrong about its server. */
export type BootstrapSettings = {
  readonly bundleSource: BundleSource;
  readonly trustDomain: { readonly name: string };
};

/**
 * What a person can do about a first contact that fails because the server is not whom the bundle vouches for; SPIRE
 * leaves it to be guessed. Undefined for all other failures.
 */
export function bootstrapAdvice(
  failure: unknown,
  { bundleSource, trustDomain }: BootstrapSettings,
): string | undefined {
  const source = sourceNames[bundleSource.kind];
  if (isUnknownAuthority(failure)) {
    return `The bundle of ${source} has none of the server's authorities: it may be older than their last rotation (get it anew, as by "spire-server bundle show"), or another server answers at server_address`;
  }
  const [, other] = OTHER_TRUST_DOMAIN.exec(reasonOf(failure)) ?? [];
  if (other === undefined) return undefined;
  return `The server at server_address is of trust domain "${other}", and this agent's trust_domain is "${trustDomain.name}"`;
}

/** In the words of go-spiffe, from the check of the server's certificate. */
const OTHER_TRUST_DOMAIN = /no X\.509 bundle found for trust domain: "([^"]+)"/;

/** By the names that they have in the configuration. */
const sourceNames: Record<BundleSource['kind'], string> = {
  insecure: 'insecure_bootstrap',
  path: 'trust_bundle_path',
  url: 'trust_bundle_url',
  'workload-api': 'trust_bundle_spiffe_workload_api',
};
