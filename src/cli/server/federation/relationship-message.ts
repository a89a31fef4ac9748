import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import {
  type FederationRelationship,
  FederationRelationshipSchema,
} from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { within } from '../../kit/prefixed.ts';

/** A relationship as flags or a file give it; all are texts, empty where nothing was given. */
export type GivenRelationship = {
  readonly trustDomain: string;
  readonly bundleEndpointURL: string;
  readonly bundleEndpointProfile: string;
  readonly endpointSpiffeID: string;
};

/** Reads the bundle that comes with a relationship, if one does; it is given whose bundle that is. */
export type ReadBundle = (
  trustDomain: string,
) => Promise<MessageInitShape<typeof BundleSchema> | undefined>;

type Profile = NonNullable<
  MessageInitShape<typeof FederationRelationshipSchema>['bundleEndpointProfile']
>;

/** Checks in SPIRE's order. The rest is the server's to check. Throws 'invalid'. */
export async function relationshipMessage(
  given: GivenRelationship,
  readBundle: ReadBundle,
): Promise<FederationRelationship> {
  const { trustDomain, bundleEndpointURL } = given;
  if (trustDomain === '') throw new Fault('invalid', 'trust domain is required');
  if (bundleEndpointURL === '') throw new Fault('invalid', 'bundle endpoint URL is required');
  const { profile, bundleOf } = readProfile(given);
  const trustDomainBundle = await readBundle(bundleOf);
  return create(FederationRelationshipSchema, {
    trustDomain,
    bundleEndpointUrl: bundleEndpointURL,
    bundleEndpointProfile: profile,
    ...(trustDomainBundle && { trustDomainBundle }),
  });
}

/** The profile, and whose bundle it would need. */
function readProfile({
  trustDomain,
  bundleEndpointProfile: name,
  endpointSpiffeID,
}: GivenRelationship): { profile: Profile; bundleOf: string } {
  if (name === 'https_web') {
    return { profile: { case: 'httpsWeb', value: {} }, bundleOf: trustDomain };
  }
  if (name !== 'https_spiffe') {
    throw new Fault('invalid', `unknown bundle endpoint profile type: ${goQuote(name)}`);
  }
  if (endpointSpiffeID === '') {
    throw new Fault(
      'invalid',
      "endpoint SPIFFE ID is required if 'https_spiffe' endpoint profile is set",
    );
  }
  const id = within('cannot parse bundle endpoint SPIFFE ID', () =>
    SpiffeId.parse(endpointSpiffeID),
  );
  return {
    profile: { case: 'httpsSpiffe', value: { endpointSpiffeId: endpointSpiffeID } },
    bundleOf: id.trustDomain.name,
  };
}
