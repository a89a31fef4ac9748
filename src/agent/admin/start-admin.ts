import type { Clock } from '../../base/clock.ts';
import type { LevelControl } from '../../ops/level-control.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';
import type { AgentConfig } from '../config.ts';
import { attestByNumber } from '../endpoint/attest-by-number.ts';
import type { AttestWorkload } from '../endpoint/workload-attestation.ts';
import { explainService } from '../explain/service.ts';
import type { Identities } from '../identities.ts';
import type { AgentStatus } from '../status.ts';
import { serveAdminEndpoint } from './admin-endpoint.ts';
import { debugService } from './debug/service.ts';
import { delegatedIdentity } from './delegated-identity/service.ts';
import { loggerService } from './logger/service.ts';

export type AdminDeps = {
  readonly config: Pick<AgentConfig, 'adminSocketPath' | 'authorizedDelegates'>;
  readonly identities: Identities;
  readonly status: AgentStatus;
  readonly attestors: readonly WorkloadAttestor[];
  readonly attest: AttestWorkload;
  readonly logLevels: LevelControl;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** Serves the admin socket, if one is configured. */
export async function startAdmin(deps: AdminDeps): Promise<AsyncDisposable> {
  const { config, logLevels, attest, metrics, clock, log } = deps;
  if (config.adminSocketPath === undefined) return { async [Symbol.asyncDispose]() {} };
  log.info('Logger service configured', { launch_log_level: logLevels.launch });
  const authorizedDelegates = new Set(config.authorizedDelegates.map(String));
  return serveAdminEndpoint({
    socketPath: config.adminSocketPath,
    services: [
      debugService(deps),
      delegatedIdentity({ ...deps, authorizedDelegates, attest: attestByNumber(attest) }),
      loggerService(logLevels),
      explainService(deps),
    ],
    calls: { attest, ownPid: process.pid, log },
    metrics,
    clock,
    log,
  });
}
