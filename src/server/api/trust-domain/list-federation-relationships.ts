import type { Answer } from '../../../rpc/service.ts';
import { relationshipToProto } from '../../../wire/federation-relationship.ts';
import type {
  ListFederationRelationshipsRequest,
  ListFederationRelationshipsResponseSchema,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { BundleRegistry, RelationshipRegistry } from '../../registry/contract.ts';
import { answerPage } from '../page.ts';

export type ListFederationRelationshipsDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'rows'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
};

/** Those that were made through the API; what the configuration federates with is not among them. */
export async function listFederationRelationships(
  { relationships, bundles }: ListFederationRelationshipsDeps,
  request: Omit<ListFederationRelationshipsRequest, '$typeName'>,
): Promise<Answer<typeof ListFederationRelationshipsResponseSchema>> {
  const failure = 'failed to list federation relationships: ';
  const { values, nextPageToken } = answerPage(relationships.rows(), request, failure);
  return {
    federationRelationships: values.map((relationship) =>
      relationshipToProto(relationship, bundles.get(relationship.trustDomain), request.outputMask),
    ),
    nextPageToken,
  };
}
