import type { Answer } from '../../../rpc/service.ts';
import type { PrepareJWTAuthorityResponseSchema } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import { rethrow } from '../refusal.ts';
import { checkActive, keyState } from './authority-state.ts';
import { jwtSlots } from './jwt-slots.ts';

export async function prepareJwtAuthority({
  manager,
}: {
  readonly manager: Pick<AuthorityManager, 'jwt'>;
}): Promise<Answer<typeof PrepareJWTAuthorityResponseSchema>> {
  const slots = jwtSlots(manager);
  return slots.inTurn(async (steps) => {
    checkActive(slots);
    const key = await steps.prepareNext().catch(rethrow('failed to prepare JWT authority'));
    return { preparedAuthority: keyState(key) };
  });
}
