import { nameFailure } from '../../catalog/name-failure.ts';
import type { WorkloadAttestor } from './contract.ts';

/** The same attestor; what it throws says `workloadattestor(<name>): ` first (`reference/workload-attestors.md` §1.2). */
export const namedWorkloadAttestor = (attestor: WorkloadAttestor): WorkloadAttestor => ({
  name: attestor.name,
  async attest(pid, signal) {
    try {
      return await attestor.attest(pid, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw nameFailure('WorkloadAttestor', attestor.name, error);
    }
  },
  [Symbol.asyncDispose]: () => attestor[Symbol.asyncDispose](),
});
