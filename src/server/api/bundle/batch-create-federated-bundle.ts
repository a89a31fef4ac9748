import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault, kindOf } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto } from '../../../wire/bundle.ts';
import type {
  BatchCreateFederatedBundleRequest,
  BatchCreateFederatedBundleResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { Bundle } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { bundleAuditFields } from './bundle-audit.ts';
import { federatedTrustDomain } from './federated-trust-domain.ts';

export type BatchCreateFederatedBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'create'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchCreateFederatedBundleResponse_ResultSchema>;

const OWN = "creating a federated bundle for the server's own trust domain is not allowed";

export async function batchCreateFederatedBundle(
  { bundles, trustDomain: own }: BatchCreateFederatedBundleDeps,
  request: Pick<BatchCreateFederatedBundleRequest, 'bundle' | 'outputMask'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const create = async (proto: Bundle, item: BatchItem): Promise<Result> => {
    item.audit(bundleAuditFields(proto));
    const trustDomain = federatedTrustDomain(proto.trustDomain, own, OWN);
    const wanted = prefixed('failed to convert bundle', () => bundleFromProto(proto));
    const bundle = await bundles.create(wanted).catch((error: unknown) => {
      if (kindOf(error) === 'already-exists') {
        throw new Fault('already-exists', 'bundle already exists');
      }
      return rethrow('unable to create bundle')(error);
    });
    call.log.debug('Federated bundle created', { trust_domain_id: trustDomain.name });
    return { status: okStatus, bundle: bundleToProto(bundle, request.outputMask) };
  };
  const refused = (_: Bundle, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, request.bundle, { act: create, refused }) };
}
