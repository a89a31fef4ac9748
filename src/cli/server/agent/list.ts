import { create } from '@bufbuild/protobuf';
import {
  Agent,
  ListAgentsResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { allPages } from '../../kit/all-pages.ts';
import { localTime } from '../../kit/local-time.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { agentBlock, agentCount } from './agent-block.ts';
import { agentFilter, agentFilterFlags } from './agent-filter.ts';

const PAGE_SIZE = 1000;

export const agentList = serverCommand({
  name: 'agent list',
  flags: agentFilterFlags,
  services: { agent: Agent },
  async run(flags, { api, out, variables }) {
    const filter = agentFilter(flags);
    const all = await allPages(async (pageToken) => {
      const page = await api.agent.listAgents({ filter, pageSize: PAGE_SIZE, pageToken });
      return { items: page.agents, nextPageToken: page.nextPageToken };
    });
    const timeText = await localTime(variables['TZ']);
    const answer = create(ListAgentsResponseSchema, { agents: all });
    out.print(ListAgentsResponseSchema, answer, ({ agents }) => {
      if (agents.length === 0) return 'No attested agents found\n';
      const blocks = agents.map((agent) => agentBlock(agent, timeText));
      return `Found ${agentCount(agents.length)}:\n\n${blocks.join('')}`;
    });
  },
});
