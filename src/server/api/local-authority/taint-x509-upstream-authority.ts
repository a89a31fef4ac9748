import type { Answer } from '../../../rpc/service.ts';
import type {
  TaintX509UpstreamAuthorityRequest,
  TaintX509UpstreamAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditSubjectKeyId } from './audit-authority.ts';
import { checkHasUpstream, checkUpstreamAuthority } from './upstream-rules.ts';

export type TaintX509UpstreamAuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'x509' | 'hasUpstream'>;
  readonly keeper: Pick<BundleKeeper, 'taintX509'>;
};

/** Agents and this server replace what chains to that root; the server needs a CA of another one first. */
export async function taintX509UpstreamAuthority(
  { manager, keeper }: TaintX509UpstreamAuthorityDeps,
  request: Pick<TaintX509UpstreamAuthorityRequest, 'subjectKeyId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof TaintX509UpstreamAuthorityResponseSchema>> {
  auditSubjectKeyId(call, request.subjectKeyId);
  checkHasUpstream(manager);
  const subjectKeyId = request.subjectKeyId.toLowerCase();
  const { x509 } = manager;
  return x509.inTurn(async () => {
    prefixed('provided subject key id is not valid', () => {
      checkUpstreamAuthority(x509, subjectKeyId);
    });
    await keeper.taintX509(subjectKeyId).catch(rethrow('failed to taint upstream authority'));
    call.log.info('X.509 upstream authority tainted successfully', {
      subject_key_id: subjectKeyId,
    });
    return { upstreamAuthoritySubjectKeyId: subjectKeyId };
  });
}
