import type { Encoded } from '../../../rpc/service.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleToProto } from '../../../wire/bundle.ts';
import {
  type ListFederatedBundlesRequest,
  ListFederatedBundlesResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { encoderOf, listAnswer } from '../list-answer.ts';
import { answerPage } from '../page.ts';

export type ListFederatedBundlesDeps = {
  readonly bundles: Pick<BundleRegistry, 'rows'>;
  readonly trustDomain: TrustDomain;
};

const BUNDLES = ListFederatedBundlesResponseSchema.field.bundles.number;
const encode = encoderOf(BundleSchema);

/** The own bundle is left out after the page is cut, so that a page may be short and still not be the last. */
export async function listFederatedBundles(
  { bundles, trustDomain: own }: ListFederatedBundlesDeps,
  request: Omit<ListFederatedBundlesRequest, '$typeName'>,
  call: Pick<Call, 'signal'>,
): Promise<Encoded> {
  const page = answerPage(bundles.rows(), request, 'failed to list bundles: ');
  const values = page.values.filter(({ trustDomain }) => !trustDomain.equals(own));
  return listAnswer(
    ListFederatedBundlesResponseSchema,
    BUNDLES,
    (bundle: Bundle) => encode(bundleToProto(bundle, request.outputMask)),
    { ...page, values },
    call,
  );
}
