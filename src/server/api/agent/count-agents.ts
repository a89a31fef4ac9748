import type { CountAgentsRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { agentFilterFromProto } from './agent-filter.ts';

export type CountAgentsDeps = { readonly agents: Pick<AgentRegistry, 'select'> };

export async function countAgents(
  { agents }: CountAgentsDeps,
  { filter }: Pick<CountAgentsRequest, 'filter'>,
  call: Pick<Call, 'audit'>,
): Promise<{ count: number }> {
  const matching = agentFilterFromProto(filter, 'failed to count agents', call);
  return { count: agents.select(matching).length };
}
