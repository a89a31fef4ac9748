import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { Agent } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { JoinTokenSchema } from '../../../wire/gen/spire/api/types/jointoken_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { flag } from '../../kit/flag.ts';
import { int32 } from '../../kit/int32.ts';
import { serverCommand } from '../../kit/server-command.ts';

const DEFAULT_TTL_SECONDS = 600n;

export const tokenGenerate = serverCommand({
  name: 'token generate',
  usageTitle: 'generate',
  flags: {
    ttl: flag.int('Seconds for which the token can be used', DEFAULT_TTL_SECONDS),
    spiffeID: flag.string('Another SPIFFE ID for the agent that uses the token'),
  },
  services: { agent: Agent },
  async run({ ttl, spiffeID }, { api, out }) {
    const agentId = spiffeID === '' ? undefined : spiffeIdToProto(SpiffeId.parse(spiffeID));
    const token = await api.agent.createJoinToken({ ttl: int32('TTL', ttl), agentId });
    out.print(JoinTokenSchema, token, ({ value }) =>
      agentId === undefined
        ? `Token: ${value}\nWarning: Missing SPIFFE ID.\n`
        : `Token: ${value}\n`,
    );
  },
});
