import { create, toBinary } from '@bufbuild/protobuf';
import { type Encoded, encoded } from '../../../rpc/service.ts';
import type { Agent } from '../../../spiffe/agent.ts';
import { agentToProto } from '../../../wire/agent.ts';
import {
  type ListAgentsRequest,
  ListAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { AgentSchema } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import { joinMessages } from '../../../wire/join-messages.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { encodeList } from '../encode-list.ts';
import { answerPage } from '../page.ts';
import { agentFilterFromProto } from './agent-filter.ts';

export type ListAgentsDeps = { readonly agents: Pick<AgentRegistry, 'select'> };

const AGENTS = ListAgentsResponseSchema.field.agents.number;
const FAILURE = 'failed to list agents';

export async function listAgents(
  { agents }: ListAgentsDeps,
  request: Omit<ListAgentsRequest, '$typeName'>,
  call: Pick<Call, 'audit' | 'signal'>,
): Promise<Encoded> {
  const filter = agentFilterFromProto(request.filter, FAILURE, call);
  const page = answerPage(agents.select(filter), request, `${FAILURE}: `);
  const encode = (agent: Agent) =>
    toBinary(AgentSchema, create(AgentSchema, agentToProto(agent, request.outputMask)));
  const messages = await encodeList(page.values, encode, call);
  const { nextPageToken } = page;
  const rest = toBinary(
    ListAgentsResponseSchema,
    create(ListAgentsResponseSchema, { nextPageToken }),
  );
  return encoded(Buffer.concat([joinMessages(AGENTS, messages), rest]));
}
