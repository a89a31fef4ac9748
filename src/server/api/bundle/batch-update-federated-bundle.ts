import type { MessageInitShape } from '@bufbuild/protobuf';
import { okStatus } from '../../../rpc/status.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto } from '../../../wire/bundle.ts';
import type {
  BatchUpdateFederatedBundleRequest,
  BatchUpdateFederatedBundleResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type {
  BundleMask,
  Bundle as ProtoBundle,
} from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';
import { bundleAuditFields } from './bundle-audit.ts';
import { federatedTrustDomain } from './federated-trust-domain.ts';

export type BatchUpdateFederatedBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'modify'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchUpdateFederatedBundleResponse_ResultSchema>;

const OWN = "updating a federated bundle for the server's own trust domain is not allowed";
const MISSING = 'bundle not found';

export async function batchUpdateFederatedBundle(
  { bundles, trustDomain: own }: BatchUpdateFederatedBundleDeps,
  request: Omit<BatchUpdateFederatedBundleRequest, '$typeName'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const { inputMask, outputMask } = request;
  const update = async (proto: ProtoBundle, item: BatchItem): Promise<Result> => {
    item.audit(bundleAuditFields(proto, inputMask));
    const trustDomain = federatedTrustDomain(proto.trustDomain, own, OWN);
    const wanted = prefixed('failed to convert bundle', () => bundleFromProto(proto));
    let bundle = wanted;
    await bundles
      .modify(trustDomain, (stored) => {
        if (stored === undefined) throw notFound(MISSING);
        bundle = updated(stored, wanted, inputMask);
        return bundle;
      })
      .catch(rethrow('failed to update bundle', { notFound: MISSING }));
    call.log.debug('Federated bundle updated', { trust_domain_id: trustDomain.name });
    return { status: okStatus, bundle: bundleToProto(bundle, outputMask) };
  };
  const refused = (_: ProtoBundle, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, request.bundle, { act: update, refused }) };
}

/** Without a mask everything is replaced, which drops WIT keys; a mask keeps them, its WIT bit or not (§14.5). */
const updated = (stored: Bundle, wanted: Bundle, mask: BundleMask | undefined): Bundle =>
  mask === undefined
    ? wanted
    : {
        ...stored,
        ...(mask.x509Authorities && { x509Authorities: wanted.x509Authorities }),
        ...(mask.jwtAuthorities && { jwtAuthorities: wanted.jwtAuthorities }),
        ...(mask.refreshHint && { refreshHintSeconds: wanted.refreshHintSeconds }),
        ...(mask.sequenceNumber && { sequenceNumber: wanted.sequenceNumber }),
      };
