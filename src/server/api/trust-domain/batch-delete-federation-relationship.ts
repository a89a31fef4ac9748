import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  BatchDeleteFederationRelationshipRequest,
  BatchDeleteFederationRelationshipResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleManager } from '../../federation/contract.ts';
import type { RelationshipRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';

export type BatchDeleteFederationRelationshipDeps = {
  readonly relationships: Pick<RelationshipRegistry, 'delete'>;
  readonly bundleManager: Pick<BundleManager, 'relationshipsChanged'>;
};

type Result = MessageInitShape<typeof BatchDeleteFederationRelationshipResponse_ResultSchema>;

/** The trust domains' bundles stay. */
export async function batchDeleteFederationRelationship(
  { relationships, bundleManager }: BatchDeleteFederationRelationshipDeps,
  request: Pick<BatchDeleteFederationRelationshipRequest, 'trustDomains'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  let changed = false;
  const remove = async (text: string, item: BatchItem): Promise<Result> => {
    item.audit({ trust_domain_id: text });
    if (text === '') throw new Fault('invalid', 'missing trust domain');
    const trustDomain = prefixed('failed to parse trust domain', () => TrustDomain.parse(text));
    try {
      await relationships.delete(trustDomain).catch(
        rethrow('failed to delete federation relationship', {
          notFound: 'federation relationship not found',
        }),
      );
    } catch (error) {
      return { status: item.refused(error), trustDomain: trustDomain.name };
    }
    changed = true;
    call.log.debug('Federation relationship deleted', { trust_domain_id: text });
    return { status: okStatus, trustDomain: trustDomain.name };
  };
  const refused = (text: string, status: Result['status']): Result => ({
    status,
    trustDomain: text,
  });
  const results = await answerEach(call, request.trustDomains, { act: remove, refused });
  if (changed) bundleManager.relationshipsChanged();
  return { results };
}
