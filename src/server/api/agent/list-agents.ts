import type { Encoded } from '../../../rpc/service.ts';
import type { Agent } from '../../../spiffe/agent.ts';
import { agentToProto } from '../../../wire/agent.ts';
import {
  type ListAgentsRequest,
  ListAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { AgentSchema } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { encoderOf, listAnswer } from '../list-answer.ts';
import { answerPage } from '../page.ts';
import { agentFilterFromProto } from './agent-filter.ts';

export type ListAgentsDeps = { readonly agents: Pick<AgentRegistry, 'select'> };

const AGENTS = ListAgentsResponseSchema.field.agents.number;
const FAILURE = 'failed to list agents';
const encode = encoderOf(AgentSchema);

export async function listAgents(
  { agents }: ListAgentsDeps,
  request: Omit<ListAgentsRequest, '$typeName'>,
  call: Pick<Call, 'audit' | 'signal'>,
): Promise<Encoded> {
  const filter = agentFilterFromProto(request.filter, FAILURE, call);
  return listAnswer(
    ListAgentsResponseSchema,
    AGENTS,
    (agent: Agent) => encode(agentToProto(agent, request.outputMask)),
    answerPage(agents.select(filter), request, `${FAILURE}: `),
    call,
  );
}
