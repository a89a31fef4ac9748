import type { Answer } from '../../../rpc/service.ts';
import type {
  MintJWTSVIDRequest,
  MintJWTSVIDResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { spiffeIdFromProto } from '../../../wire/spiffe-id.ts';
import { commaList } from '../audit-values.ts';
import type { Call } from '../call.ts';
import { checkJwtEnabled, type JwtSvidDeps, jwtSvid, jwtSvidSubject } from './jwt-svid-answer.ts';

export async function mintJwtSvid(
  deps: JwtSvidDeps,
  request: Pick<MintJWTSVIDRequest, 'id' | 'audience' | 'ttl'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof MintJWTSVIDResponseSchema>> {
  const { audience, ttl: ttlSeconds } = request;
  call.audit({
    ttl: ttlSeconds,
    ...(audience.length > 0 && { audience: commaList(audience) }),
  });
  checkJwtEnabled(deps);
  const id = jwtSvidSubject(() => spiffeIdFromProto(request.id), deps.trustDomain);
  call.audit({ spiffe_id: id.toString() });
  return { svid: await jwtSvid(deps, { id, audience, ttlSeconds, includeJti: false }, call) };
}
