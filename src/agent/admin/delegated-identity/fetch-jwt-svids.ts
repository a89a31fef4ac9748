import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type {
  FetchJWTSVIDsRequest,
  FetchJWTSVIDsResponseSchema,
} from '../../../wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import { jwtSvidOf } from '../../workload-api/jwt-svid-of.ts';
import { requireAudience } from '../../workload-api/require-audience.ts';
import type { DelegatedIdentityDeps } from './deps.ts';
import { requireDelegate } from './require-delegate.ts';
import { targetSelectors } from './target-selectors.ts';

/** One token for each of the target's identities (`reference/agent.md` §4.7). */
export async function fetchJwtSvids(
  deps: DelegatedIdentityDeps,
  request: Pick<FetchJWTSVIDsRequest, 'audience' | 'selectors' | 'pid'>,
  call: WorkloadCall,
): Promise<MessageInitShape<typeof FetchJWTSVIDsResponseSchema>> {
  const { audience } = request;
  requireAudience(audience, call);
  requireDelegate(deps, await call.attest(), call);
  const selectors = await targetSelectors(deps, request, call);
  const entries = deps.identities
    .matchingEntries(selectors)
    .filter(({ admin, downstream }) => !admin && !downstream);
  if (entries.length === 0) {
    call.log.error('No identity issued', { registered: false });
    throw new Fault('denied', 'no identity issued');
  }
  const svids = await Promise.all(
    entries.map(async ({ id, spiffeId, hint }) => {
      const svid = await jwtSvidOf(deps, { id, spiffeId }, audience, call);
      return {
        token: svid.token,
        id: spiffeIdToProto(spiffeId),
        expiresAt: BigInt(svid.expiresAt),
        issuedAt: BigInt(svid.issuedAt),
        hint,
      };
    }),
  );
  return { svids };
}
