import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleToProto } from '../../../wire/bundle.ts';
import type {
  ListFederatedBundlesRequest,
  ListFederatedBundlesResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { answerPage } from '../page.ts';

export type ListFederatedBundlesDeps = {
  readonly bundles: Pick<BundleRegistry, 'rows'>;
  readonly trustDomain: TrustDomain;
};

/** The own bundle is left out after the page is cut, so that a page may be short and still not be the last. */
export async function listFederatedBundles(
  { bundles, trustDomain: own }: ListFederatedBundlesDeps,
  request: Omit<ListFederatedBundlesRequest, '$typeName'>,
): Promise<Answer<typeof ListFederatedBundlesResponseSchema>> {
  const page = answerPage(bundles.rows(), request, 'failed to list bundles: ');
  return {
    bundles: page.values
      .filter(({ trustDomain }) => !trustDomain.equals(own))
      .map((bundle) => bundleToProto(bundle, request.outputMask)),
    nextPageToken: page.nextPageToken,
  };
}
