import type { BoundService } from '../../../rpc/service.ts';
import { implement } from '../../../rpc/service.ts';
import { Debug } from '../../../wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import { createGetInfo, type GetInfoDeps } from './get-info.ts';

/** `spire.agent.debug.v1.Debug`. */
export function debugService(deps: GetInfoDeps): BoundService<WorkloadCall> {
  const getInfo = createGetInfo(deps);
  return implement<typeof Debug, WorkloadCall>(Debug, { getInfo: () => getInfo() });
}
