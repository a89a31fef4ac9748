import type { Answer } from '../../../rpc/service.ts';
import type {
  ActivateJWTAuthorityRequest,
  ActivateJWTAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { auditAuthority } from './audit-authority.ts';
import { keyState } from './authority-state.ts';
import { jwtSlots } from './jwt-slots.ts';
import { checkActivation } from './slot-rules.ts';

export async function activateJwtAuthority(
  { manager }: { readonly manager: Pick<AuthorityManager, 'jwt'> },
  { authorityId }: Pick<ActivateJWTAuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof ActivateJWTAuthorityResponseSchema>> {
  const slots = jwtSlots(manager);
  auditAuthority(call, authorityId);
  return slots.inTurn(async (steps) => {
    checkActivation(slots, authorityId);
    return { activatedAuthority: keyState(await steps.activateNext()) };
  });
}
