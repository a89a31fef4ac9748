import type { Clock } from '../../../base/clock.ts';
import { Fault, wrapFault } from '../../../base/fault.ts';
import type { Metrics } from '../../../ops/metrics.ts';
import { timedCall } from '../../../ops/metrics-call.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import { readBundleDocument } from '../../../spiffe/bundle-document.ts';
import type { FederationRelationship } from '../../../spiffe/federation-relationship.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import {
  type EndpointAuthentication,
  spiffeAuthentication,
  webAuthentication,
} from './endpoint-authentication.ts';
import { type FetchOptions, fetchDocument } from './fetch-document.ts';

export type UpdateBundleDeps = Pick<FetchOptions, 'environment' | 'timeoutMilliseconds'> & {
  readonly bundles: Pick<BundleRegistry, 'get' | 'set'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: Metrics;
  /** PEM; the machine's own where it is left out. */
  readonly webAuthorities?: readonly string[] | undefined;
};

const FETCH = ['bundle_manager', 'fetch', 'federated_bundle'];
const UPDATE = ['bundle_manager', 'update', 'federated_bundle'];

/**
 * Fetches the trust domain's bundle and stores it in place of the one that is there. Resolves with it. Throws with
 * SPIRE's words, having changed nothing; a Fault of kind 'failed-precondition' if nothing could be fetched.
 */
export async function updateBundle(
  deps: UpdateBundleDeps,
  relationship: FederationRelationship,
  signal: AbortSignal,
): Promise<Bundle> {
  const { bundles, metrics } = deps;
  const labels = { trust_domain_id: relationship.trustDomain.name };
  const bundle = await timedCall(
    metrics,
    FETCH,
    async () => fetchBundle(deps, relationship, authenticationOf(deps, relationship), signal),
    labels,
  );
  signal.throwIfAborted();
  try {
    const stored = await bundles.set(bundle);
    metrics.counter(UPDATE, 1, labels);
    return stored;
  } catch (error) {
    throw wrapFault('failed to store fetched federated bundle', error);
  }
}

async function fetchBundle(
  deps: UpdateBundleDeps,
  { trustDomain, bundleEndpointUrl: url }: FederationRelationship,
  authentication: EndpointAuthentication,
  signal: AbortSignal,
): Promise<Bundle> {
  try {
    const document = await fetchDocument({ ...deps, url, authentication, signal });
    return asStored(readBundleDocument(trustDomain, document));
  } catch (error) {
    signal.throwIfAborted();
    throw wrapFault('failed to fetch federated bundle from endpoint', error, 'unavailable');
  }
}

/** The newest bundle is the one that was fetched last: sequence numbers are not looked at (`reference/server.md` §10.2). */
const asStored = (bundle: Bundle): Bundle => ({
  ...bundle,
  sequenceNumber: 0n,
  witAuthorities: [],
});

function authenticationOf(
  { bundles, clock, webAuthorities }: UpdateBundleDeps,
  { bundleEndpointProfile: profile }: FederationRelationship,
): EndpointAuthentication {
  if (profile.kind === 'https_web') return webAuthentication(webAuthorities);
  const { endpointSpiffeId } = profile;
  const bundle = bundles.get(endpointSpiffeId.trustDomain);
  if (bundle === undefined) {
    throw new Fault(
      'failed-precondition',
      "can't perform SPIFFE Authentication: local copy of bundle not found",
    );
  }
  return spiffeAuthentication(endpointSpiffeId, bundle, clock);
}
