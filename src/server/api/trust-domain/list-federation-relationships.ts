import type { Encoded } from '../../../rpc/service.ts';
import type { FederationRelationship } from '../../../spiffe/federation-relationship.ts';
import { relationshipToProto } from '../../../wire/federation-relationship.ts';
import {
  type ListFederationRelationshipsRequest,
  ListFederationRelationshipsResponseSchema,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { FederationRelationshipSchema } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import type { BundleRegistry, RelationshipRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { encoderOf, listAnswer } from '../list-answer.ts';
import { answerPage } from '../page.ts';

export type ListFederationRelationshipsDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'rows'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
};

const RELATIONSHIPS =
  ListFederationRelationshipsResponseSchema.field.federationRelationships.number;
const encode = encoderOf(FederationRelationshipSchema);

/** Those that were made through the API; what the configuration federates with is not among them. */
export async function listFederationRelationships(
  { relationships, bundles }: ListFederationRelationshipsDeps,
  request: Omit<ListFederationRelationshipsRequest, '$typeName'>,
  call: Pick<Call, 'signal'>,
): Promise<Encoded> {
  const failure = 'failed to list federation relationships: ';
  return listAnswer(
    ListFederationRelationshipsResponseSchema,
    RELATIONSHIPS,
    (relationship: FederationRelationship) =>
      encode(
        relationshipToProto(
          relationship,
          bundles.get(relationship.trustDomain),
          request.outputMask,
        ),
      ),
    answerPage(relationships.rows(), request, failure),
    call,
  );
}
