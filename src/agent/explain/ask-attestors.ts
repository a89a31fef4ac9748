import { reasonOf } from '../../base/fault.ts';
import { unlessAborted } from '../../base/unless-aborted.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';
import type { AttestorFinding } from './explanation.ts';

/** Whoever explains does not wait longer for one attestor; a workload would wait as long as it likes. */
const MAX_MILLISECONDS = 10_000;

/** Asks all attestors at once, as for a workload, and tells what each said. Rejects only when the signal aborts. */
export async function askAttestors(
  attestors: readonly WorkloadAttestor[],
  pid: number,
  signal: AbortSignal,
  maxMilliseconds = MAX_MILLISECONDS,
): Promise<readonly AttestorFinding[]> {
  const findings = await Promise.all(
    attestors.map((attestor) => ask(attestor, pid, signal, maxMilliseconds)),
  );
  signal.throwIfAborted();
  return findings;
}

async function ask(
  attestor: WorkloadAttestor,
  pid: number,
  signal: AbortSignal,
  maxMilliseconds: number,
): Promise<AttestorFinding> {
  const { name } = attestor;
  const since = performance.now();
  const duration = () => ({ durationMicroseconds: Math.round((performance.now() - since) * 1000) });
  const patience = AbortSignal.timeout(maxMilliseconds);
  const either = AbortSignal.any([signal, patience]);
  try {
    // It may be deaf to the signal; whoever asks is not to wait for it.
    const values = await unlessAborted(attestor.attest(pid, either), either);
    const selectors = [...new Set(values.map((value) => `${name}:${value}`))];
    return { name, selectors, failure: undefined, ...duration() };
  } catch (error) {
    const failure = patience.aborted
      ? `no answer within ${maxMilliseconds / 1000} s`
      : reasonOf(error);
    return { name, selectors: [], failure, ...duration() };
  }
}
