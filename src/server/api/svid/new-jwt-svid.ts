import type { Answer } from '../../../rpc/service.ts';
import type {
  NewJWTSVIDRequest,
  NewJWTSVIDResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { commaList } from '../audit-values.ts';
import { type Call, callingAgent } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';
import { checkJwtEnabled, type JwtSvidDeps, jwtSvid, jwtSvidSubject } from './jwt-svid-answer.ts';

export type NewJwtSvidDeps = JwtSvidDeps & {
  readonly entries: Pick<EntryRegistry, 'authorizedEntry'>;
};

/** That the agent may serve the entry is what authorises it. */
export async function newJwtSvid(
  deps: NewJwtSvidDeps,
  { entryId, audience }: Pick<NewJWTSVIDRequest, 'entryId' | 'audience'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'audit' | 'log'>,
): Promise<Answer<typeof NewJWTSVIDResponseSchema>> {
  call.audit({ entry_id: entryId, audience: commaList(audience) });
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to JWT signing request rate limiting', { kind: 'keep' }));
  checkJwtEnabled(deps);
  const entry = deps.entries.authorizedEntry(callingAgent(call), entryId);
  if (entry === undefined) throw notFound('entry not found or not authorized');
  const id = jwtSvidSubject(() => entry.spiffeId, deps.trustDomain);
  call.audit({ spiffe_id: id.toString() });

  const ttlSeconds = entry.jwtSvidTtlSeconds;
  const includeJti = entry.additionalAttributes?.jwtSvidIncludeJti ?? false;
  const svid = await jwtSvid(deps, { id, audience, ttlSeconds, includeJti }, call);
  call.audit({ ttl: ttlSeconds });
  return { svid };
}
