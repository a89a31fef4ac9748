import type { Answer } from '../../../rpc/service.ts';
import type {
  RevokeX509AuthorityRequest,
  RevokeX509AuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditAuthority } from './audit-authority.ts';
import { checkX509Revocation } from './slot-rules.ts';
import { checkHasNoUpstream } from './upstream-rules.ts';

export type RevokeX509AuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'x509' | 'hasUpstream'>;
  readonly keeper: Pick<BundleKeeper, 'revokeX509'>;
};

export async function revokeX509Authority(
  { manager, keeper }: RevokeX509AuthorityDeps,
  { authorityId }: Pick<RevokeX509AuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof RevokeX509AuthorityResponseSchema>> {
  auditAuthority(call, authorityId);
  checkHasNoUpstream(manager, 'revoked');
  const { x509 } = manager;
  return x509.inTurn(async () => {
    prefixed('invalid authority ID', () => {
      checkX509Revocation(x509, authorityId);
    });
    await keeper.revokeX509(authorityId).catch(rethrow('failed to revoke X.509 authority'));
    call.log.info('X.509 authority revoked successfully', { local_authority_id: authorityId });
    return { revokedAuthority: { authorityId } };
  });
}
