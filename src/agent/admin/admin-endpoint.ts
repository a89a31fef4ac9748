import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { BoundService } from '../../rpc/service.ts';
import { serveLocal } from '../endpoint/local-endpoint.ts';
import { ADMIN_MAXIMA, userLimits } from '../endpoint/user-limits.ts';
import { type CallDeps, type WorkloadCall, workloadCalls } from '../workload-api/call.ts';

export type AdminEndpointOptions = {
  readonly socketPath: string;
  readonly services: readonly BoundService<WorkloadCall>[];
  readonly calls: CallDeps;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

/** The agent's user and group: whoever may write to the socket may ask (`reference/agent.md` §1.11). */
const SOCKET_MODE = 0o770;
const DIRECTORY_MODE = 0o755;

/** Serves the admin socket until it is disposed; what is under way then ends at once (`reference/agent.md` §4.7). */
export async function serveAdminEndpoint(options: AdminEndpointOptions): Promise<AsyncDisposable> {
  const { socketPath, services, calls, metrics, clock, log } = options;
  const endpoint = await serveLocal({
    socketPath,
    socketMode: SOCKET_MODE,
    directoryMode: DIRECTORY_MODE,
    services,
    intercept: workloadCalls(calls),
    limits: userLimits(ADMIN_MAXIMA, { clock, log }),
    maxCallsOfConnection: ADMIN_MAXIMA.calls,
    metrics,
    log,
  });
  const where = { network: 'unix', address: socketPath };
  log.info('Starting Admin APIs', where);
  return {
    async [Symbol.asyncDispose]() {
      log.info('Stopping Admin APIs', where);
      await endpoint[Symbol.asyncDispose]();
      log.info('Admin APIs have stopped', where);
    },
  };
}
