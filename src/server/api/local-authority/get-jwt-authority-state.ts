import type { Answer } from '../../../rpc/service.ts';
import type { GetJWTAuthorityStateResponseSchema } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { keyState, statesOf } from './authority-state.ts';
import { jwtSlots } from './jwt-slots.ts';

export async function getJwtAuthorityState(
  { manager }: { readonly manager: Pick<AuthorityManager, 'jwt'> },
  call: Pick<Call, 'log'>,
): Promise<Answer<typeof GetJWTAuthorityStateResponseSchema>> {
  return statesOf(jwtSlots(manager), keyState, call.log);
}
