import { selectorText } from '../../../spiffe/selector.ts';
import { Agent } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { AgentSchema } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import { flag } from '../../kit/flag.ts';
import { localTime } from '../../kit/local-time.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { agentBlock, agentLine } from './agent-block.ts';
import { agentId } from './agent-id.ts';

export const agentShow = serverCommand({
  name: 'agent show',
  flags: { spiffeID: flag.string('Agent to show, by its SPIFFE ID') },
  services: { agent: Agent },
  async run({ spiffeID }, { api, out, variables }) {
    const shown = await api.agent.getAgent({ id: agentId(spiffeID) });
    const timeText = await localTime(variables['TZ']);
    out.print(AgentSchema, shown, (agent) => {
      const selectors = agent.selectors.map((s) => agentLine('Selectors', selectorText(s)));
      const head = 'Found an attested agent given its SPIFFE ID\n\n';
      return `${head}${agentBlock(agent, timeText)}${selectors.join('')}`;
    });
  },
});
