import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleToProto } from '../../../wire/bundle.ts';
import type { GetBundleRequest } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { notFound } from '../refusal.ts';

export type GetBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
};

export async function getBundle(
  { bundles, trustDomain }: GetBundleDeps,
  { outputMask }: Pick<GetBundleRequest, 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof BundleSchema>> {
  call.audit({ trust_domain_id: trustDomain.name });
  const bundle = bundles.get(trustDomain);
  if (bundle === undefined) throw notFound('bundle not found');
  return bundleToProto(bundle, outputMask);
}
