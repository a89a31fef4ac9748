import type { Answer } from '../../../rpc/service.ts';
import { jwtAuthority } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  RevokeJWTAuthorityRequest,
  RevokeJWTAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditAuthority } from './audit-authority.ts';
import { jwtSlots } from './jwt-slots.ts';
import { checkJwtRevocation } from './slot-rules.ts';

export type RevokeJwtAuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'jwt'>;
  readonly keeper: Pick<BundleKeeper, 'revokeJwt'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
};

export async function revokeJwtAuthority(
  { manager, keeper, bundles, trustDomain }: RevokeJwtAuthorityDeps,
  { authorityId }: Pick<RevokeJWTAuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof RevokeJWTAuthorityResponseSchema>> {
  const slots = jwtSlots(manager);
  auditAuthority(call, authorityId);
  return slots.inTurn(async () => {
    const bundle = bundles.get(trustDomain);
    const isInBundle = (keyId: string) => bundle !== undefined && !!jwtAuthority(bundle, keyId);
    prefixed('invalid authority ID', () => {
      checkJwtRevocation(slots, isInBundle, authorityId);
    });
    await keeper.revokeJwt(authorityId).catch(rethrow('failed to revoke JWT authority'));
    call.log.info('JWT authority revoked successfully', { local_authority_id: authorityId });
    return { revokedAuthority: { authorityId } };
  });
}
