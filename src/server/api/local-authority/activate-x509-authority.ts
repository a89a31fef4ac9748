import type { Answer } from '../../../rpc/service.ts';
import type {
  ActivateX509AuthorityRequest,
  ActivateX509AuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { auditAuthority } from './audit-authority.ts';
import { x509State } from './authority-state.ts';
import { checkActivation } from './slot-rules.ts';

export async function activateX509Authority(
  { manager: { x509 } }: { readonly manager: Pick<AuthorityManager, 'x509'> },
  { authorityId }: Pick<ActivateX509AuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof ActivateX509AuthorityResponseSchema>> {
  auditAuthority(call, authorityId);
  return x509.inTurn(async (steps) => {
    checkActivation(x509, authorityId);
    return { activatedAuthority: x509State(await steps.activateNext()) };
  });
}
