import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { BanAgentRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { agentArgument } from './agent-argument.ts';

export type BanAgentDeps = {
  readonly agents: Pick<AgentRegistry, 'ban'>;
  readonly trustDomain: TrustDomain;
};

export async function banAgent(
  { agents, trustDomain }: BanAgentDeps,
  request: Pick<BanAgentRequest, 'id'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Record<string, never>> {
  const id = agentArgument(request.id, trustDomain, call);
  await agents.ban(id).catch(rethrow('failed to ban agent', { notFound: 'agent not found' }));
  call.log.info('Agent banned', { spiffe_id: id.toString() });
  return {};
}
