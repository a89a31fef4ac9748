import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { agentToProto } from '../../../wire/agent.ts';
import type { GetAgentRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentSchema } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { notFound } from '../refusal.ts';
import { agentArgument } from './agent-argument.ts';

export type GetAgentDeps = {
  readonly agents: Pick<AgentRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
};

export async function getAgent(
  { agents, trustDomain }: GetAgentDeps,
  request: Pick<GetAgentRequest, 'id' | 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof AgentSchema>> {
  const id = agentArgument(request.id, trustDomain, call);
  const agent = agents.get(id);
  if (agent === undefined) throw notFound('agent not found');
  return agentToProto(agent, request.outputMask);
}
