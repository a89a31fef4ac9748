import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { DeleteAgentRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { agentArgument } from './agent-argument.ts';

export type DeleteAgentDeps = {
  readonly agents: Pick<AgentRegistry, 'delete'>;
  readonly trustDomain: TrustDomain;
};

export async function deleteAgent(
  { agents, trustDomain }: DeleteAgentDeps,
  request: Pick<DeleteAgentRequest, 'id'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Record<string, never>> {
  const id = agentArgument(request.id, trustDomain, call);
  await agents.delete(id).catch(rethrow('failed to remove agent', { notFound: 'agent not found' }));
  call.log.info('Agent deleted', { spiffe_id: id.toString() });
  return {};
}
