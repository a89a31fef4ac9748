import type { Answer } from '../../../rpc/service.ts';
import type {
  TaintX509AuthorityRequest,
  TaintX509AuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { BundleKeeper } from '../../ca/bundle-keeper.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { auditAuthority } from './audit-authority.ts';
import { x509State } from './authority-state.ts';
import { checkTainting } from './slot-rules.ts';
import { checkHasNoUpstream } from './upstream-rules.ts';

export type TaintX509AuthorityDeps = {
  readonly manager: Pick<AuthorityManager, 'x509' | 'hasUpstream'>;
  readonly keeper: Pick<BundleKeeper, 'taintX509'>;
};

/** Agents see it in the bundle, and so does this server's own SVID: what the authority signed is replaced. */
export async function taintX509Authority(
  { manager, keeper }: TaintX509AuthorityDeps,
  { authorityId }: Pick<TaintX509AuthorityRequest, 'authorityId'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof TaintX509AuthorityResponseSchema>> {
  auditAuthority(call, authorityId);
  checkHasNoUpstream(manager, 'tainted');
  const { x509 } = manager;
  return x509.inTurn(async () => {
    const old = checkTainting(x509, authorityId);
    await keeper.taintX509(authorityId).catch(rethrow('failed to taint X.509 authority'));
    call.log.info('X.509 authority tainted successfully', { local_authority_id: authorityId });
    return { taintedAuthority: x509State(old) };
  });
}
