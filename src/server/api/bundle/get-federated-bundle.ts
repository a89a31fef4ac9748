import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleToProto } from '../../../wire/bundle.ts';
import type { GetFederatedBundleRequest } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { notFound } from '../refusal.ts';
import { federatedTrustDomain } from './federated-trust-domain.ts';

export type GetFederatedBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
};

const OWN = "getting a federated bundle for the server's own trust domain is not allowed";

export async function getFederatedBundle(
  { bundles, trustDomain: own }: GetFederatedBundleDeps,
  request: Pick<GetFederatedBundleRequest, 'trustDomain' | 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof BundleSchema>> {
  call.audit({ trust_domain_id: request.trustDomain });
  const bundle = bundles.get(federatedTrustDomain(request.trustDomain, own, OWN));
  if (bundle === undefined) throw notFound('bundle not found');
  return bundleToProto(bundle, request.outputMask);
}
