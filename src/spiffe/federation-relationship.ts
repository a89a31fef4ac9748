import type { SpiffeId } from './spiffe-id.ts';
import type { TrustDomain } from './trust-domain.ts';

/** Where the bundle of another trust domain is fetched (SPIFFE Federation §3). One-way: the other side has its own. */
export type FederationRelationship = {
  readonly trustDomain: TrustDomain;
  /** An https URL with a host and without user information. */
  readonly bundleEndpointUrl: string;
  readonly bundleEndpointProfile: BundleEndpointProfile;
};

/** How the endpoint proves who it is (SPIFFE Federation §5.2). */
export type BundleEndpointProfile =
  | { readonly kind: 'https_web' }
  | { readonly kind: 'https_spiffe'; readonly endpointSpiffeId: SpiffeId };

export const equalRelationships = (a: FederationRelationship, b: FederationRelationship): boolean =>
  a.trustDomain.equals(b.trustDomain) &&
  a.bundleEndpointUrl === b.bundleEndpointUrl &&
  a.bundleEndpointProfile.kind === b.bundleEndpointProfile.kind &&
  String(endpointIdOf(a)) === String(endpointIdOf(b));

/** undefined: the endpoint is known by its name in the web's PKI. */
export const endpointIdOf = ({
  bundleEndpointProfile: profile,
}: FederationRelationship): SpiffeId | undefined =>
  profile.kind === 'https_spiffe' ? profile.endpointSpiffeId : undefined;
