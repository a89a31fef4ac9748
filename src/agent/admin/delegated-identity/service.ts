import { type BoundService, implement } from '../../../rpc/service.ts';
import { DelegatedIdentity } from '../../../wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';
import { fetchJwtSvids } from './fetch-jwt-svids.ts';
import { subscribeToJwtBundles, subscribeToX509Bundles } from './subscribe-to-bundles.ts';
import { subscribeToX509Svids } from './subscribe-to-x509-svids.ts';

/** `spire.api.agent.delegatedidentity.v1.DelegatedIdentity`. */
export const delegatedIdentity = (deps: DelegatedIdentityDeps): BoundService<WorkloadCall> =>
  implement<typeof DelegatedIdentity, WorkloadCall>(DelegatedIdentity, {
    subscribeToX509SVIDs: (request, call) => subscribeToX509Svids(deps, request, call),
    subscribeToX509Bundles: (_, call) => subscribeToX509Bundles(deps, call),
    fetchJWTSVIDs: (request, call) => fetchJwtSvids(deps, request, call),
    subscribeToJWTBundles: (_, call) => subscribeToJwtBundles(deps, call),
  });
