import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { SPIFFEID } from '../../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { agentIdFromProto } from '../../../wire/spiffe-id.ts';
import type { Call } from '../call.ts';

/** The agent that a request is about, put into the audit record. Throws 'invalid'. */
export function agentArgument(
  id: SPIFFEID | undefined,
  trustDomain: TrustDomain,
  call: Pick<Call, 'audit'>,
): SpiffeId {
  const agentId = prefixed('invalid agent ID', () => agentIdFromProto(id, trustDomain));
  call.audit({ spiffe_id: agentId.toString() });
  return agentId;
}
