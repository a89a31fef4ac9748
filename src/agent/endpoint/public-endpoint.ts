import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { Tracer } from '../../ops/tracing.ts';
import type { BoundService } from '../../rpc/service.ts';
import { tracedCalls } from '../../rpc/trace-calls.ts';
import { isTracedByAgent } from '../tracing.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { type CallDeps, workloadCalls } from '../workload-api/call.ts';
import { serveLocal } from './local-endpoint.ts';
import { type UserMaxima, userLimits, WORKLOAD_MAXIMA } from './user-limits.ts';

export type PublicEndpointOptions = {
  readonly socketPath: string;
  readonly services: readonly BoundService<WorkloadCall>[];
  readonly calls: CallDeps;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  /** How the log names what is served. */
  readonly apis: string;
  readonly maximaOfUser?: UserMaxima;
};

/** Anybody on this machine may ask; who they are is found out for each call. */
const SOCKET_MODE = 0o777;
const DIRECTORY_MODE = 0o755;

/** Serves the public socket until it is disposed; what is under way then ends at once. */
export async function servePublicEndpoint(
  options: PublicEndpointOptions,
): Promise<AsyncDisposable> {
  const { socketPath, services, calls, apis, metrics, tracer, clock, log } = options;
  const endpoint = await serveLocal({
    socketPath,
    socketMode: SOCKET_MODE,
    directoryMode: DIRECTORY_MODE,
    services,
    intercept: tracedCalls(workloadCalls(calls), {
      tracer,
      isTraced: isTracedByAgent,
      // Workloads do not say what their calls are part of.
      parentOf: () => undefined,
    }),
    limits: userLimits(options.maximaOfUser ?? WORKLOAD_MAXIMA, { clock, log }),
    metrics,
    log,
  });
  log.info('Starting agent APIs', { network: 'unix', address: socketPath, apis });
  return {
    async [Symbol.asyncDispose]() {
      log.info('Stopping agent APIs', { apis });
      await endpoint[Symbol.asyncDispose]();
    },
  };
}
