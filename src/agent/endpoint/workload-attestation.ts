import { reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';

/** Finds out the selectors (`type:value`) of a process; those who ask twice are told anew. */
export type AttestWorkload = (pid: number, signal: AbortSignal) => Promise<ReadonlySet<string>>;

export type WorkloadAttestationDeps = {
  readonly attestors: readonly WorkloadAttestor[];
  /** The agent's own process, which is asked about for health only. */
  readonly ownPid: number;
  readonly metrics: Metrics;
  readonly log: Log;
};

/**
 * Asks all attestors at once. Those that fail are told of and passed over, unless all do (`reference/agent.md` §6).
 * Rejects with the signal's reason when it aborts first.
 */
export function createWorkloadAttestation(deps: WorkloadAttestationDeps): AttestWorkload {
  const { metrics } = deps;
  const attest = attestWith(deps);
  return (pid, signal) =>
    timedCall(metrics, ATTESTATION, async () => {
      const selectors = await attest(pid, signal);
      metrics.sample(DISCOVERED_SELECTORS, selectors.size);
      return selectors;
    });
}

const ATTESTATION = ['workload_api', 'workload_attestation'];
const ATTESTOR = ['workload_api', 'workload_attestor'];
const DISCOVERED_SELECTORS = ['workload_api', 'discovered_selectors'];

function attestWith({ attestors, ownPid, metrics, log }: WorkloadAttestationDeps): AttestWorkload {
  return async (pid, signal) => {
    const outcomes = await Promise.allSettled(
      attestors.map((one) =>
        timedCall(metrics, ATTESTOR, () => one.attest(pid, signal), { attestor: one.name }),
      ),
    );
    if (signal.aborted) {
      log.error('Timed out collecting selectors', { pid, error: signal.reason as Error });
      throw signal.reason;
    }
    const selectors = new Set<string>();
    const failures: string[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const name = attestors[index]?.name ?? '';
      if (outcome.status === 'fulfilled') {
        for (const value of outcome.value) selectors.add(`${name}:${value}`);
      } else {
        failures.push(`workload attestor "${name}" failed: ${reasonOf(outcome.reason)}`);
        log.error(`workload attestor "${name}" failed`, { pid, error: reasonOf(outcome.reason) });
      }
    }
    if (failures.length > 0) {
      const error = failures.join('\n');
      log.error('Failed to collect all selectors', { pid, error });
      if (failures.length === attestors.length) throw new Error(error);
    }
    if (pid !== ownPid && log.enabled('debug')) {
      log.debug('PID attested to have selectors', { pid, selectors: [...selectors].join(',') });
    }
    return selectors;
  };
}
