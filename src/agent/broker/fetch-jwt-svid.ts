import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type {
  FetchJWTSVIDRequest,
  FetchJWTSVIDResponseSchema,
} from '../../wire/gen/spiffe/broker/api_pb.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import { jwtSvidOf } from '../workload-api/jwt-svid-of.ts';
import { requireAudience } from '../workload-api/require-audience.ts';
import type { BrokerCall } from './call.ts';
import type { BrokerApiDeps } from './service.ts';

/** One token for each identity of the workload; a SPIFFE ID in the request is not looked at, as in SPIRE. */
export async function fetchJwtSvid(
  deps: BrokerApiDeps,
  { reference, audience }: Pick<FetchJWTSVIDRequest, 'reference' | 'audience'>,
  call: BrokerCall,
): Promise<MessageInitShape<typeof FetchJWTSVIDResponseSchema>> {
  requireAudience(audience, call);
  const selectors = await call.resolve(reference);
  const matching = deps.identities.matchingEntries(selectors).map((entry) => ({ entry }));
  const entries = withoutDuplicateHints(matching, call.log).map(({ entry }) => entry);
  if (entries.length === 0) {
    call.log.error('No identity issued', { registered: false });
    throw new Fault('denied', 'no identity issued');
  }
  const svids = await Promise.all(
    entries.map(async (entry) => {
      const { token } = await jwtSvidOf(deps, entry, audience, call);
      return { spiffeId: entry.spiffeId.toString(), svid: token, hint: entry.hint };
    }),
  );
  return { svids };
}
