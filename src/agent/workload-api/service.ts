import { Fault } from '../../base/fault.ts';
import { type BoundService, implement } from '../../rpc/service.ts';
import { SpiffeWorkloadAPI } from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { fetchJwtBundles, fetchWitBundles, fetchX509Bundles } from './fetch-bundles.ts';
import { fetchJwtSvid } from './fetch-jwt-svid.ts';
import { fetchWitSvid } from './fetch-wit-svid.ts';
import { fetchX509Svid } from './fetch-x509-svid.ts';
import { validateJwtSvid } from './validate-jwt-svid.ts';

/** The Workload API (`reference/wire/workload-api.md`); the WIT profile is optional. */
export const workloadApi = (deps: WorkloadApiDeps): BoundService<WorkloadCall> =>
  implement<typeof SpiffeWorkloadAPI, WorkloadCall>(SpiffeWorkloadAPI, {
    fetchX509SVID: (_, call) => fetchX509Svid(deps, call),
    fetchX509Bundles: (_, call) => fetchX509Bundles(deps, call),
    fetchJWTSVID: (request, call) => fetchJwtSvid(deps, request, call),
    fetchJWTBundles: (_, call) => fetchJwtBundles(deps, call),
    validateJWTSVID: (request, call) => validateJwtSvid(deps, request, call),
    fetchWITSVID(request, call) {
      if (deps.witSvids) return fetchWitSvid(deps, request, call);
      throw new Fault('unimplemented', 'fetching WIT-SVIDs is not implemented');
    },
    fetchWITBundles(_, call) {
      if (deps.witSvids) return fetchWitBundles(deps, call);
      throw new Fault('unimplemented', 'fetching WIT bundles is not implemented');
    },
  });
