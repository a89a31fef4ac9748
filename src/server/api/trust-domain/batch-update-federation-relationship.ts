import type { MessageInitShape } from '@bufbuild/protobuf';
import { okStatus } from '../../../rpc/status.ts';
import {
  relationshipFromProto,
  relationshipToProto,
} from '../../../wire/federation-relationship.ts';
import type {
  BatchUpdateFederationRelationshipRequest,
  BatchUpdateFederationRelationshipResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type {
  FederationRelationship,
  FederationRelationshipMask,
} from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { RelationshipField } from '../../datastore/contract.ts';
import type { BundleManager } from '../../federation/contract.ts';
import type { BundleRegistry, RelationshipRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { relationshipAuditFields } from './relationship-audit.ts';
import { warnOfMissingBundle } from './warn-of-missing-bundle.ts';

export type BatchUpdateFederationRelationshipDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'update'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly bundleManager: Pick<BundleManager, 'relationshipsChanged'>;
};

type Result = MessageInitShape<typeof BatchUpdateFederationRelationshipResponse_ResultSchema>;

/** A missing relationship is a failure like others here; the answer holds the stored bundle. */
export async function batchUpdateFederationRelationship(
  { relationships, bundles, bundleManager }: BatchUpdateFederationRelationshipDeps,
  request: Omit<BatchUpdateFederationRelationshipRequest, '$typeName'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const { inputMask, outputMask } = request;
  let changed = false;
  const update = async (proto: FederationRelationship, item: BatchItem): Promise<Result> => {
    item.audit(relationshipAuditFields(proto, inputMask));
    const wanted = prefixed('failed to convert federation relationship', () =>
      relationshipFromProto(proto),
    );
    const given = !inputMask || inputMask.trustDomainBundle ? wanted.bundle : undefined;
    const relationship = await relationships
      .update(wanted.relationship, fieldsOf(inputMask), given)
      .catch(rethrow('failed to update federation relationship'));
    changed = true;
    const bundle = bundles.get(relationship.trustDomain);
    const log = call.log.child({ trust_domain_id: proto.trustDomain });
    warnOfMissingBundle(relationship, bundle, bundles, log);
    log.debug('Federation relationship updated');
    const answer = relationshipToProto(relationship, bundle, outputMask);
    return { status: okStatus, federationRelationship: answer };
  };
  const refused = (_: FederationRelationship, status: Result['status']): Result => ({ status });
  const results = await answerEach(call, request.federationRelationships, { act: update, refused });
  if (changed) bundleManager.relationshipsChanged();
  return { results };
}

/** No mask means all. */
function fieldsOf(mask: FederationRelationshipMask | undefined): ReadonlySet<RelationshipField> {
  const fields: readonly RelationshipField[] = ['bundleEndpointUrl', 'bundleEndpointProfile'];
  return new Set(fields.filter((field) => mask === undefined || mask[field]));
}
