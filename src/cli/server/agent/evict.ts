import { EmptySchema } from '@bufbuild/protobuf/wkt';
import { Agent } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { flag } from '../../kit/flag.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { agentId } from './agent-id.ts';

export const agentEvict = serverCommand({
  name: 'agent evict',
  flags: { spiffeID: flag.string('Agent to forget, by its SPIFFE ID') },
  services: { agent: Agent },
  async run({ spiffeID }, { api, out }) {
    const answer = await api.agent.deleteAgent({ id: agentId(spiffeID) });
    out.print(EmptySchema, answer, () => 'Agent evicted successfully\n');
  },
});
