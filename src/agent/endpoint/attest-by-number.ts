import { processStartTime } from '../../base/proc.ts';
import type { AttestWorkload } from './workload-attestation.ts';

/**
 * Attests a process that somebody names, rather than one that is connected: there is no handle to hold it by, but what
 * was looked at must have been one process. Whether it is the one that was meant, whoever names it answers for.
 */
export const attestByNumber =
  (
    attest: AttestWorkload,
    startTimeOf: (pid: number) => Promise<string> = processStartTime,
  ): AttestWorkload =>
  async (pid, signal) => {
    const before = await startTimeOf(pid).catch((error: unknown) => {
      throw new Error(`there is no process ${pid}`, { cause: error });
    });
    const selectors = await attest(pid, signal);
    if ((await startTimeOf(pid).catch(() => undefined)) !== before) {
      throw new Error(`process ${pid} ended while it was attested`);
    }
    return selectors;
  };
