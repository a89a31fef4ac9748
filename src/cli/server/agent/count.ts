import {
  Agent,
  CountAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { agentCount as countText } from './agent-block.ts';
import { agentFilter, agentFilterFlags } from './agent-filter.ts';

export const agentCount = serverCommand({
  name: 'agent count',
  flags: agentFilterFlags,
  services: { agent: Agent },
  async run(flags, { api, out }) {
    const answer = await api.agent.countAgents({ filter: agentFilter(flags) });
    out.print(CountAgentsResponseSchema, answer, ({ count }) => `${countText(count)}\n`);
  },
});
