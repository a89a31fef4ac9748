import { type BoundService, implement } from '../../rpc/service.ts';
import { SecretDiscoveryService } from '../../wire/gen/envoy/service/secret/v3/sds_pb.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { deltaSecrets } from './delta-secrets.ts';
import type { SdsDeps } from './deps.ts';
import { fetchSecrets } from './fetch-secrets.ts';
import { streamSecrets } from './stream-secrets.ts';

/** Envoy's secret discovery service, version 3 (`reference/agent.md` §4.5). */
export const secretDiscovery = (deps: SdsDeps): BoundService<WorkloadCall> =>
  implement<typeof SecretDiscoveryService, WorkloadCall>(SecretDiscoveryService, {
    streamSecrets: (requests, call) => streamSecrets(deps, requests, call),
    deltaSecrets: (requests, call) => deltaSecrets(deps, requests, call),
    fetchSecrets: (request, call) => fetchSecrets(deps, request, call),
  });
