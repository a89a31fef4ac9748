import { Fault } from '../../../base/fault.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  MintWITSVIDRequest,
  MintWITSVIDResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { spiffeIdFromProto } from '../../../wire/spiffe-id.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { jwtSvidSubject } from './jwt-svid-answer.ts';
import { logMintedWitSvid } from './log-issued.ts';
import { requestedWitKey, witSvidToProto } from './wit-svid-answer.ts';

export type MintWitSvidDeps = {
  readonly issuer: Pick<Issuer, 'workloadWitSvid'>;
  readonly trustDomain: TrustDomain;
  /** Whether the feature flag `wit-svid` is set. */
  readonly witSvidsEnabled: boolean;
};

/** An operator gets a WIT-SVID for any workload, without an entry. */
export async function mintWitSvid(
  { issuer, trustDomain, witSvidsEnabled }: MintWitSvidDeps,
  request: Pick<MintWITSVIDRequest, 'id' | 'publicKey' | 'ttl' | 'signingAlgorithm'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof MintWITSVIDResponseSchema>> {
  call.audit({ ttl: request.ttl });
  if (!witSvidsEnabled) throw new Fault('unimplemented', 'WIT functionality is disabled');
  const id = jwtSvidSubject(() => spiffeIdFromProto(request.id), trustDomain);
  call.audit({ spiffe_id: id.toString() });
  const key = requestedWitKey('invalid public key', request);
  const svid = await issuer
    .workloadWitSvid({ id, ...key, ttlSeconds: request.ttl })
    .catch(rethrow('failed to sign WIT-SVID'));
  logMintedWitSvid(call.log, { id, svid });
  return { svid: witSvidToProto(id, svid) };
}
