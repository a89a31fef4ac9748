import type { Answer } from '../../../rpc/service.ts';
import { agentToProto } from '../../../wire/agent.ts';
import type {
  ListAgentsRequest,
  ListAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { answerPage } from '../page.ts';
import { agentFilterFromProto } from './agent-filter.ts';

export type ListAgentsDeps = { readonly agents: Pick<AgentRegistry, 'select'> };

const FAILURE = 'failed to list agents';

export async function listAgents(
  { agents }: ListAgentsDeps,
  request: Omit<ListAgentsRequest, '$typeName'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof ListAgentsResponseSchema>> {
  const filter = agentFilterFromProto(request.filter, FAILURE, call);
  const page = answerPage(agents.select(filter), request, `${FAILURE}: `);
  return {
    agents: page.values.map((agent) => agentToProto(agent, request.outputMask)),
    nextPageToken: page.nextPageToken,
  };
}
