import { Fault } from '../../../base/fault.ts';
import type { Answer } from '../../../rpc/service.ts';
import type {
  PostStatusRequest,
  PostStatusResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import { type Call, callingAgent } from '../call.ts';
import { rethrow } from '../refusal.ts';

export type PostStatusDeps = { readonly agents: Pick<AgentRegistry, 'get' | 'update'> };

/** The database's column takes no more. */
const MAX_VERSION_BYTES = 255;

/**
 * Notes the version of the agent that calls. `current_bundle_serial` is ignored, as SPIRE does. A version that is
 * already known is not written again.
 */
export async function postStatus(
  { agents }: PostStatusDeps,
  { agentVersion }: Pick<PostStatusRequest, 'agentVersion'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'audit' | 'log'>,
): Promise<Answer<typeof PostStatusResponseSchema>> {
  const id = callingAgent(call);
  call.audit({ spiffe_id: id.toString() });
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to post status rate limiting', { kind: 'keep' }));
  if (Buffer.byteLength(agentVersion) > MAX_VERSION_BYTES) {
    throw new Fault('invalid', `agent version is too long (max ${MAX_VERSION_BYTES} characters)`);
  }
  if (agentVersion === '') return {};
  call.audit({ agent_version: agentVersion });
  if (agents.get(id)?.agentVersion !== agentVersion) {
    await agents
      .update(id, { agentVersion })
      .catch(rethrow('failed to update agent', { notFound: 'agent not found' }));
    call.log.debug('Agent status updated', {
      agent_version: agentVersion,
      spiffe_id: id.toString(),
    });
  }
  return {};
}
