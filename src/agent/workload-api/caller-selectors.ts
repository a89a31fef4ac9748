import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';

/**
 * The selectors of a caller who is to be given an identity. One that no entry applies to waits a moment for the server's
 * word; the agent itself, which only asks whether it is served, does not.
 */
export async function callerSelectors(
  { identities }: Pick<WorkloadApiDeps, 'identities'>,
  call: Pick<WorkloadCall, 'attest' | 'isOwn' | 'signal'>,
): Promise<ReadonlySet<string>> {
  const selectors = await call.attest();
  if (!call.isOwn) await identities.awaitEntry(selectors, call.signal);
  return selectors;
}
