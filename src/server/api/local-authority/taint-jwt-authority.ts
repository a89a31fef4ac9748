import type { Answer } from '../../../rpc/service.ts';
import type {
  TaintJWTAuthorityRequest,
  TaintJWTAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditAuthority } from './audit-authority.ts';
import { jwtSlots } from './jwt-slots.ts';
import { checkTainting } from './slot-rules.ts';

export type TaintJwtAuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'jwt'>;
  readonly keeper: Pick<BundleKeeper, 'taintJwt'>;
};

/** Agents see it in the bundle, and drop the tokens that the key signed. */
export async function taintJwtAuthority(
  { manager, keeper }: TaintJwtAuthorityDeps,
  { authorityId }: Pick<TaintJWTAuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof TaintJWTAuthorityResponseSchema>> {
  const slots = jwtSlots(manager);
  auditAuthority(call, authorityId);
  return slots.inTurn(async () => {
    checkTainting(slots, authorityId);
    await keeper.taintJwt(authorityId).catch(rethrow('failed to taint JWT authority'));
    call.log.info('JWT authority tainted successfully', { local_authority_id: authorityId });
    return { taintedAuthority: { authorityId } };
  });
}
