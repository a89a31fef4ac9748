import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { processStartTime } from '../../base/proc.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';
import type { AgentStatus } from '../status.ts';
import { askAttestors } from './ask-attestors.ts';
import { conclude } from './conclude.ts';
import type { AgentState, Explanation } from './explanation.ts';
import { explainMatching } from './matching-entries.ts';
import { nearEntries } from './near-entries.ts';

export type ExplainDeps = {
  readonly attestors: readonly WorkloadAttestor[];
  readonly status: AgentStatus;
  readonly clock: Pick<Clock, 'now'>;
  /** Tells a process from others that get its number later. Throws where there is none. */
  readonly startTimeOf?: (pid: number) => Promise<string>;
};

/** Looks at a process as it is now. Throws 'not-found' if there is none, 'aborted' if it ends meanwhile. */
export async function explainProcess(
  { attestors, status, clock, startTimeOf = processStartTime }: ExplainDeps,
  pid: number,
  signal: AbortSignal,
): Promise<Explanation> {
  if (pid <= 0) throw new Fault('invalid', `there is no process ${pid}: PIDs are above 0`);
  const startTime = await startTimeOf(pid).catch((error: unknown) => {
    throw new Fault('not-found', `there is no process ${pid} in the agent's PID namespace`, {
      cause: error,
    });
  });
  const findings = await askAttestors(attestors, pid, signal);
  if ((await startTimeOf(pid).catch(() => undefined)) !== startTime) {
    throw new Fault('aborted', `process ${pid} ended while it was looked at`);
  }
  const { entries } = status;
  const now = clock.now();
  const selectors = new Set(findings.flatMap((finding) => finding.selectors));
  const near = nearEntries(entries, selectors);
  const facts = {
    pid,
    attestors: findings,
    matching: explainMatching(entries, selectors, {
      svidOf: (id) => status.svidOf(id),
      now: Math.floor(now / 1000),
    }),
    near: near.told,
    nearCount: near.count,
    agent: agentState(status),
  };
  return { ...facts, ...conclude(facts, now) };
}

function agentState(status: AgentStatus): AgentState {
  const [leaf] = status.svidChain;
  if (leaf === undefined) throw new Fault('internal', 'the agent has no SVID');
  const { uris, notAfter } = parseCertificate(leaf);
  return {
    spiffeId: uris[0] ?? '',
    svidExpiresAt: notAfter,
    entryCount: status.entries.length,
    lastSyncSuccess: status.lastSyncSuccess,
    lastSync: status.lastSync?.endedAt,
    lastSyncFailure: status.lastSync?.failure,
  };
}
