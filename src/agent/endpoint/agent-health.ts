import { kindOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { healthService } from '../../rpc/health.ts';
import type { BoundService } from '../../rpc/service.ts';
import type { CallDeps, WorkloadCall } from '../workload-api/call.ts';
import type { WorkloadApiDeps } from '../workload-api/deps.ts';
import { fetchX509Svid } from '../workload-api/fetch-x509-svid.ts';
import { firstAnswer, ownCall } from './own-call.ts';

export type AgentHealthDeps = {
  readonly calls: CallDeps;
  /** Undefined: the Workload API is disabled, and there is nothing to look at. */
  readonly workloadApi: WorkloadApiDeps | undefined;
  readonly log: Log;
};

/** Healthy is an agent that would answer itself, with an identity or without (`reference/agent.md` §4.6). */
export const agentHealth = ({
  calls,
  workloadApi,
  log,
}: AgentHealthDeps): BoundService<WorkloadCall> =>
  healthService(async ({ signal }) => {
    if (workloadApi === undefined) return true;
    try {
      await firstAnswer(fetchX509Svid(workloadApi, ownCall(calls, 'FetchX509SVID', signal)));
      return true;
    } catch (error) {
      if (kindOf(error) === 'denied') return true;
      log.warn('Health check failed', { error: error as Error });
      return false;
    }
  });
