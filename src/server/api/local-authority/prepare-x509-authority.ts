import type { Answer } from '../../../rpc/service.ts';
import type { PrepareX509AuthorityResponseSchema } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import { rethrow } from '../refusal.ts';
import { checkActive, x509State } from './authority-state.ts';

export function prepareX509Authority({
  manager: { x509 },
}: {
  readonly manager: Pick<AuthorityManager, 'x509'>;
}): Promise<Answer<typeof PrepareX509AuthorityResponseSchema>> {
  return x509.inTurn(async (steps) => {
    checkActive(x509);
    const ca = await steps.prepareNext().catch(rethrow('failed to prepare X.509 authority'));
    return { preparedAuthority: x509State(ca) };
  });
}
