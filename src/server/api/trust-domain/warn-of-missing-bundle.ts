import type { Log } from '../../../ops/log.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import {
  endpointIdOf,
  type FederationRelationship,
} from '../../../spiffe/federation-relationship.ts';
import type { BundleRegistry } from '../../registry/contract.ts';

/**
 * An endpoint that shows an SVID can only be verified with the bundle of its trust domain: that there is none is
 * told, and no reason to refuse, since it may still be set (`reference/server.md` §14.6).
 */
export function warnOfMissingBundle(
  relationship: FederationRelationship,
  own: Bundle | undefined,
  bundles: Pick<BundleRegistry, 'get'>,
  log: Log,
): void {
  const id = endpointIdOf(relationship);
  if (id === undefined || own !== undefined || bundles.get(id.trustDomain) !== undefined) return;
  log.warn('bundle not found for the endpoint SPIFFE ID trust domain', {
    endpoint_spiffe_id: id.toString(),
  });
}
