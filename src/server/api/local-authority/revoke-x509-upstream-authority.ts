import type { Answer } from '../../../rpc/service.ts';
import type {
  RevokeX509UpstreamAuthorityRequest,
  RevokeX509UpstreamAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditSubjectKeyId } from './audit-authority.ts';
import { checkHasUpstream, checkUpstreamAuthority } from './upstream-rules.ts';

export type RevokeX509UpstreamAuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'x509' | 'hasUpstream'>;
  readonly keeper: Pick<BundleKeeper, 'revokeX509'>;
};

export async function revokeX509UpstreamAuthority(
  { manager, keeper }: RevokeX509UpstreamAuthorityDeps,
  request: Pick<RevokeX509UpstreamAuthorityRequest, 'subjectKeyId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof RevokeX509UpstreamAuthorityResponseSchema>> {
  auditSubjectKeyId(call, request.subjectKeyId);
  checkHasUpstream(manager);
  const subjectKeyId = request.subjectKeyId.toLowerCase();
  const { x509 } = manager;
  return x509.inTurn(async () => {
    prefixed('invalid subject key ID', () => {
      checkUpstreamAuthority(x509, subjectKeyId);
    });
    await keeper
      .revokeX509(subjectKeyId)
      .catch(rethrow('failed to revoke X.509 upstream authority'));
    call.log.info('X.509 upstream authority successfully revoked', {
      subject_key_id: subjectKeyId,
    });
    return { upstreamAuthoritySubjectKeyId: subjectKeyId };
  });
}
