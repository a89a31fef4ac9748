import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Agent, isBanned } from '../spiffe/agent.ts';
import type { AgentMask, AgentSchema } from './gen/spire/api/types/agent_pb.ts';
import { masked } from './masked.ts';
import { selectorToProto } from './selector.ts';
import { spiffeIdToProto } from './spiffe-id.ts';

/** All fields, or those of the mask; the ID always. */
export function agentToProto(agent: Agent, mask?: AgentMask): MessageInitShape<typeof AgentSchema> {
  const full = {
    attestationType: agent.attestationType,
    x509svidSerialNumber: agent.serialNumber,
    x509svidExpiresAt: BigInt(agent.expiresAt),
    selectors: agent.selectors.map(selectorToProto),
    banned: isBanned(agent),
    canReattest: agent.canReattest,
    agentVersion: agent.agentVersion,
  };
  return { id: spiffeIdToProto(agent.id), ...masked(full, mask) };
}
