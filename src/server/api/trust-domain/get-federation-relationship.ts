import type { Answer } from '../../../rpc/service.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { relationshipToProto } from '../../../wire/federation-relationship.ts';
import type { GetFederationRelationshipRequest } from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { FederationRelationshipSchema } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleRegistry, RelationshipRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { notFound } from '../refusal.ts';

export type GetFederationRelationshipDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'get'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
};

export async function getFederationRelationship(
  { relationships, bundles }: GetFederationRelationshipDeps,
  request: Pick<GetFederationRelationshipRequest, 'trustDomain' | 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof FederationRelationshipSchema>> {
  call.audit({ trust_domain_id: request.trustDomain });
  const trustDomain = prefixed('failed to parse trust domain', () =>
    TrustDomain.parse(request.trustDomain),
  );
  const relationship = relationships.get(trustDomain);
  if (relationship === undefined) throw notFound('federation relationship does not exist');
  return relationshipToProto(relationship, bundles.get(trustDomain), request.outputMask);
}
