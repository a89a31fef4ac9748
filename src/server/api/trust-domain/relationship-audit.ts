import type { LogFields } from '../../../ops/log.ts';
import type {
  FederationRelationship,
  FederationRelationshipMask,
} from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { bundleAuditFields } from '../bundle/bundle-audit.ts';

/** The request's values; of an update only those that the mask names (`reference/server.md` §14.6). */
export const relationshipAuditFields = (
  {
    trustDomain,
    bundleEndpointUrl,
    bundleEndpointProfile,
    trustDomainBundle,
  }: FederationRelationship,
  mask?: FederationRelationshipMask,
): LogFields => ({
  ...(trustDomain !== '' && { trust_domain_id: trustDomain }),
  ...((!mask || mask.bundleEndpointUrl) && { bundle_endpoint_url: bundleEndpointUrl }),
  ...((!mask || mask.bundleEndpointProfile) && profileFields(bundleEndpointProfile)),
  ...((!mask || mask.trustDomainBundle) &&
    trustDomainBundle &&
    Object.fromEntries(
      Object.entries(bundleAuditFields(trustDomainBundle)).map(([name, value]) => [
        `bundle_${name}`,
        value,
      ]),
    )),
});

function profileFields(profile: FederationRelationship['bundleEndpointProfile']): LogFields {
  switch (profile.case) {
    case 'httpsWeb':
      return { bundle_endpoint_profile: 'https_web' };
    case 'httpsSpiffe':
      return {
        bundle_endpoint_profile: 'https_spiffe',
        endpoint_spiffe_id: profile.value.endpointSpiffeId,
      };
    case undefined:
      return {};
    default:
      return profile satisfies never;
  }
}
