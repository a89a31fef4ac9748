import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt';
import { Fault, reasonOf } from '../../base/fault.ts';
import { WorkloadPIDReferenceSchema } from '../../wire/gen/spiffe/broker/api_pb.ts';
import type { AttestWorkload } from '../endpoint/workload-attestation.ts';

/**
 * The selectors of the workload that is named. Processes are what the attestors know; a Kubernetes object needs one that
 * does (`reference/agent.md` §6). Throws 'unimplemented' where none does, 'unauthenticated' where it cannot be looked at.
 */
export const referenceResolver =
  (attest: AttestWorkload) =>
  async (reference: Any, signal: AbortSignal): Promise<ReadonlySet<string>> => {
    if (!anyIs(reference, WorkloadPIDReferenceSchema)) {
      throw new Fault('unimplemented', 'no workload attestor handled reference');
    }
    try {
      return await attest(pidOf(reference), signal);
    } catch (error) {
      if (signal.aborted || error instanceof Fault) throw error;
      throw new Fault('unauthenticated', `workload attestation failed: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  };

function pidOf(reference: Any): number {
  let pid = 0;
  try {
    ({ pid = 0 } = anyUnpack(reference, WorkloadPIDReferenceSchema) ?? {});
  } catch (error) {
    throw new Fault('invalid', 'malformed workload reference', { cause: error });
  }
  if (pid <= 0) throw new Fault('invalid', `invalid PID in workload reference: ${pid}`);
  return pid;
}
