import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  BatchDeleteFederatedBundleRequest,
  BatchDeleteFederatedBundleResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { BundleDeleteMode } from '../../datastore/contract.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { federatedTrustDomain } from './federated-trust-domain.ts';

export type BatchDeleteFederatedBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'delete'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchDeleteFederatedBundleResponse_ResultSchema>;

const OWN = 'removing the bundle for the server trust domain is not allowed';
/** By the number on the wire. */
const modes: readonly { readonly name: string; readonly mode: BundleDeleteMode }[] = [
  { name: 'RESTRICT', mode: 'restrict' },
  { name: 'DELETE', mode: 'delete' },
  { name: 'DISSOCIATE', mode: 'dissociate' },
];

export async function batchDeleteFederatedBundle(
  { bundles, trustDomain: own }: BatchDeleteFederatedBundleDeps,
  request: Pick<BatchDeleteFederatedBundleRequest, 'trustDomains' | 'mode'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const row = modes[request.mode];
  if (row === undefined) {
    const why = `unhandled delete mode "${request.mode}"`;
    throw new Fault('invalid', `failed to parse deletion mode: ${why}`);
  }
  const remove = async (text: string, item: BatchItem): Promise<Result> => {
    item.audit({ trust_domain_id: text, mode: { text: row.name, json: request.mode } });
    const trustDomain = federatedTrustDomain(text, own, OWN);
    await bundles.delete(trustDomain, row.mode).catch(
      rethrow('failed to delete federated bundle', {
        notFound: 'bundle not found',
        kind: 'keep',
      }),
    );
    return { status: okStatus, trustDomain: text };
  };
  const refused = (trustDomain: string, status: Result['status']): Result => ({
    status,
    trustDomain,
  });
  const log = call.log.child({
    delete_federated_bundle_mode: row.name,
  });
  return {
    results: await answerEach({ auditItems: call.auditItems, log }, request.trustDomains, {
      act: remove,
      refused,
    }),
  };
}
