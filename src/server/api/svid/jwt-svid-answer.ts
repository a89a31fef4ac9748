import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { checkWorkloadId } from '../../../spiffe/id-rules.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { JWTSVIDSchema } from '../../../wire/gen/spire/api/types/jwtsvid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import type { Issuer, JwtSvidRequest } from '../../ca/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { logJwtSvid } from './log-issued.ts';

export type JwtSvidDeps = {
  readonly issuer: Pick<Issuer, 'workloadJwtSvid'>;
  readonly trustDomain: TrustDomain;
  /** `disable_jwt_svids`. */
  readonly jwtSvidsDisabled: boolean;
};

export function checkJwtEnabled({ jwtSvidsDisabled }: Pick<JwtSvidDeps, 'jwtSvidsDisabled'>): void {
  if (jwtSvidsDisabled) throw new Fault('unimplemented', 'JWT functionality is disabled');
}

/** A workload's ID, whoever chose it: the caller, or its entry. Throws 'invalid'. */
export const jwtSvidSubject = (parse: () => SpiffeId, trustDomain: TrustDomain): SpiffeId =>
  prefixed('invalid SPIFFE ID', () => {
    const id = parse();
    checkWorkloadId(id, trustDomain);
    return id;
  });

/** Signs for a caller who was found authorised, and makes the answer. */
export async function jwtSvid(
  { issuer }: Pick<JwtSvidDeps, 'issuer'>,
  request: JwtSvidRequest,
  { log }: Pick<Call, 'log'>,
): Promise<MessageInitShape<typeof JWTSVIDSchema>> {
  if (request.audience.length === 0) {
    throw new Fault('invalid', 'at least one audience is required');
  }
  const svid = await issuer.workloadJwtSvid(request).catch(rethrow('failed to sign JWT-SVID'));
  logJwtSvid(log, { id: request.id, audience: request.audience, svid });
  return {
    token: svid.token,
    id: spiffeIdToProto(request.id),
    issuedAt: BigInt(svid.issuedAt),
    expiresAt: BigInt(svid.expiresAt),
  };
}
