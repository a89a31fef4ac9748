import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import {
  relationshipFromProto,
  relationshipToProto,
} from '../../../wire/federation-relationship.ts';
import type {
  BatchCreateFederationRelationshipRequest,
  BatchCreateFederationRelationshipResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleManager } from '../../federation/contract.ts';
import type { BundleRegistry, RelationshipRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { relationshipAuditFields } from './relationship-audit.ts';
import { warnOfMissingBundle } from './warn-of-missing-bundle.ts';

export type BatchCreateFederationRelationshipDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'create'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly bundleManager: Pick<BundleManager, 'relationshipsChanged'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchCreateFederationRelationshipResponse_ResultSchema>;

const OWN = 'unable to create federation relationship for server trust domain';

/** The answer holds the bundle that was given, not one that was there before. */
export async function batchCreateFederationRelationship(
  deps: BatchCreateFederationRelationshipDeps,
  request: Omit<BatchCreateFederationRelationshipRequest, '$typeName'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const { relationships, bundles, bundleManager, trustDomain: own } = deps;
  let changed = false;
  const create = async (proto: FederationRelationship, item: BatchItem): Promise<Result> => {
    item.audit(relationshipAuditFields(proto));
    const { relationship: wanted, bundle } = prefixed(
      'failed to convert federation relationship',
      () => relationshipFromProto(proto),
    );
    if (wanted.trustDomain.equals(own)) throw new Fault('invalid', OWN);
    const relationship = await relationships
      .create(wanted, bundle)
      .catch(rethrow('failed to create federation relationship'));
    changed = true;
    const log = call.log.child({ trust_domain_id: proto.trustDomain });
    warnOfMissingBundle(relationship, bundle, bundles, log);
    log.debug('Federation relationship created');
    const answer = relationshipToProto(relationship, bundle, request.outputMask);
    return { status: okStatus, federationRelationship: answer };
  };
  const refused = (_: FederationRelationship, status: Result['status']): Result => ({ status });
  const results = await answerEach(call, request.federationRelationships, { act: create, refused });
  if (changed) bundleManager.relationshipsChanged();
  return { results };
}
