import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  JWTSVIDRequest,
  JWTSVIDResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { WorkloadCall } from './call.ts';
import { callerSelectors } from './caller-selectors.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { jwtSvidOf } from './jwt-svid-of.ts';
import { noIdentity } from './no-identity.ts';
import { requestedEntries, requestedId } from './requested-entries.ts';
import { requireAudience } from './require-audience.ts';

/** One token for each identity of the caller, or for the one that it names (`reference/agent.md` §4.3). */
export async function fetchJwtSvid(
  deps: WorkloadApiDeps,
  { audience, spiffeId }: JWTSVIDRequest,
  call: WorkloadCall,
): Promise<MessageInitShape<typeof JWTSVIDResponseSchema>> {
  requireAudience(audience, call);
  const wanted = requestedId(spiffeId, call);
  const selectors = await callerSelectors(deps, call);
  const entries = requestedEntries(deps, selectors, wanted, call);
  if (entries.length === 0) throw noIdentity(deps, call, selectors);
  const svids = await Promise.all(
    entries.map(async (entry) => {
      const { token } = await jwtSvidOf(deps, entry, audience, call);
      return { spiffeId: entry.spiffeId.toString(), svid: token, hint: entry.hint };
    }),
  );
  return { svids };
}
