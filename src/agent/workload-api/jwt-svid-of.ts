import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import type { Identities, JwtSvid } from '../identities.ts';
import type { WorkloadCall } from './call.ts';

/** An entry's token for a caller, or what the local APIs answer when there is none to be had. */
export async function jwtSvidOf(
  {
    identities,
    clock,
  }: { identities: Pick<Identities, 'fetchJwtSvid'>; clock: Pick<Clock, 'now'> },
  entry: Parameters<Identities['fetchJwtSvid']>[0],
  audience: readonly string[],
  { log, signal }: Pick<WorkloadCall, 'log' | 'signal'>,
): Promise<JwtSvid> {
  const spiffeId = entry.spiffeId.toString();
  try {
    const svid = await identities.fetchJwtSvid(entry, audience, signal);
    log.debug('Fetched JWT SVID', {
      spiffe_id: spiffeId,
      ttl: svid.expiresAt - unixSeconds(clock),
    });
    return svid;
  } catch (error) {
    if (signal.aborted) throw error;
    log.error('Could not fetch JWT-SVID', { spiffe_id: spiffeId, error: error as Error });
    throw new Fault('unavailable', `could not fetch JWT-SVID: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
