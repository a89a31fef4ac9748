import { type CallDeps, type WorkloadCall, workloadCall } from '../workload-api/call.ts';

/** A call that the agent makes to its own Workload API, to know its health; it does not go over the socket. */
export const ownCall = (calls: CallDeps, method: string, signal: AbortSignal): WorkloadCall =>
  workloadCall(calls, {
    method: `/SpiffeWorkloadAPI/${method}`,
    signal,
    peer: { pid: calls.ownPid, checkAlive: () => Promise.resolve() },
  });

/** Reads the first answer of a stream, and ends it. Throws what the stream throws. */
export async function firstAnswer(answers: AsyncGenerator): Promise<void> {
  try {
    await answers.next();
  } finally {
    await answers.return(undefined);
  }
}
