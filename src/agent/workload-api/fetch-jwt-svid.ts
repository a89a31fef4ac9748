import type { MessageInitShape } from '@bufbuild/protobuf';
import { unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type {
  JWTSVIDRequest,
  JWTSVIDResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { noIdentity } from './no-identity.ts';

/** One token for each identity of the caller, or for the one that it names (`reference/agent.md` §4.3). */
export async function fetchJwtSvid(
  deps: WorkloadApiDeps,
  { audience, spiffeId }: JWTSVIDRequest,
  call: WorkloadCall,
): Promise<MessageInitShape<typeof JWTSVIDResponseSchema>> {
  if (audience.length === 0) {
    call.log.error('Missing required audience parameter');
    throw new Fault('invalid', 'audience must be specified');
  }
  const wanted = spiffeId === '' ? undefined : requestedId(spiffeId, call);
  const selectors = await call.attest();
  const matching = deps.identities.matchingEntries(selectors).map((entry) => ({ entry }));
  const entries = withoutDuplicateHints(matching, call.log)
    .map(({ entry }) => entry)
    .filter((entry) => wanted === undefined || entry.spiffeId.equals(wanted));
  if (entries.length === 0) throw noIdentity(deps, call, selectors);
  return {
    svids: await Promise.all(entries.map((entry) => fetchOne(deps, entry, audience, call))),
  };
}

function requestedId(text: string, { log }: WorkloadCall): SpiffeId {
  try {
    return SpiffeId.parse(text);
  } catch (error) {
    log.error('Invalid requested SPIFFE ID', { error: error as Error });
    throw new Fault('invalid', `invalid requested SPIFFE ID: ${reasonOf(error)}`, { cause: error });
  }
}

async function fetchOne(
  { identities, clock }: WorkloadApiDeps,
  entry: AuthorizedEntry,
  audience: readonly string[],
  call: WorkloadCall,
) {
  const spiffeId = entry.spiffeId.toString();
  try {
    const svid = await identities.fetchJwtSvid(entry, audience, call.signal);
    call.log.debug('Fetched JWT SVID', {
      spiffe_id: spiffeId,
      ttl: svid.expiresAt - unixSeconds(clock),
    });
    return { spiffeId, svid: svid.token, hint: entry.hint };
  } catch (error) {
    if (call.signal.aborted) throw error;
    call.log.error('Could not fetch JWT-SVID', { spiffe_id: spiffeId, error: error as Error });
    throw new Fault('unavailable', `could not fetch JWT-SVID: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
