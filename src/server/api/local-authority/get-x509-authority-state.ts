import type { Answer } from '../../../rpc/service.ts';
import type { GetX509AuthorityStateResponseSchema } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { statesOf, x509State } from './authority-state.ts';

export async function getX509AuthorityState(
  { manager }: { readonly manager: Pick<AuthorityManager, 'x509'> },
  call: Pick<Call, 'log'>,
): Promise<Answer<typeof GetX509AuthorityStateResponseSchema>> {
  return statesOf(manager.x509, x509State, call.log);
}
