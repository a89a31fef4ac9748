import type { MessageInitShape } from '@bufbuild/protobuf';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto } from '../../../wire/bundle.ts';
import type {
  BatchSetFederatedBundleRequest,
  BatchSetFederatedBundleResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { Bundle } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { bundleAuditFields } from './bundle-audit.ts';
import { federatedTrustDomain } from './federated-trust-domain.ts';

export type BatchSetFederatedBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'set'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchSetFederatedBundleResponse_ResultSchema>;

const OWN = "setting a federated bundle for the server's own trust domain is not allowed";

export async function batchSetFederatedBundle(
  { bundles, trustDomain: own }: BatchSetFederatedBundleDeps,
  request: Pick<BatchSetFederatedBundleRequest, 'bundle' | 'outputMask'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const set = async (proto: Bundle, item: BatchItem): Promise<Result> => {
    item.audit(bundleAuditFields(proto));
    federatedTrustDomain(proto.trustDomain, own, OWN);
    const wanted = prefixed('failed to convert bundle', () => bundleFromProto(proto));
    const bundle = await bundles.set(wanted).catch(rethrow('failed to set bundle'));
    call.log.info('Bundle set successfully', { trust_domain_id: proto.trustDomain });
    return { status: okStatus, bundle: bundleToProto(bundle, request.outputMask) };
  };
  const refused = (_: Bundle, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, request.bundle, { act: set, refused }) };
}
