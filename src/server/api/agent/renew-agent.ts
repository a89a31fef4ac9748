import { Fault } from '../../../base/fault.ts';
import { parseCsr, verifyCsr } from '../../../crypto/csr.ts';
import type { Answer } from '../../../rpc/service.ts';
import type {
  RenewAgentRequest,
  RenewAgentResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import { sha256Hex } from '../audit-values.ts';
import { type Call, callingAgent } from '../call.ts';
import { notFound, PlainFault, rethrow } from '../refusal.ts';
import { x509SvidToProto } from '../x509-svid-answer.ts';

export type RenewAgentDeps = {
  readonly agents: Pick<AgentRegistry, 'confirm' | 'update'>;
  readonly issuer: Pick<Issuer, 'agentX509Svid'>;
};

/** The new SVID waits beside the old one until the agent first uses it (`reference/server.md` §5.4). */
export async function renewAgent(
  { agents, issuer }: RenewAgentDeps,
  { params }: Pick<RenewAgentRequest, 'params'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'audit' | 'log'>,
): Promise<Answer<typeof RenewAgentResponseSchema>> {
  if (params !== undefined && params.csr.length > 0) call.audit({ csr: sha256Hex(params.csr) });
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to renew agent rate limiting', { kind: 'keep' }));

  const id = callingAgent(call);
  const agent = await agents.confirm(id).catch(rethrow('failed to fetch agent'));
  if (agent === undefined) throw notFound('agent not found');
  if (agent.canReattest) {
    throw new PlainFault('denied', 'agent must reattest instead of renew', {
      denial: 'must-reattest',
    });
  }
  if (params === undefined) throw new Fault('invalid', 'params cannot be nil');
  if (params.csr.length === 0) throw new Fault('invalid', 'missing CSR');
  const csr = prefixed('failed to parse CSR', () => parseCsr(params.csr));
  await verifyCsr(csr).catch(rethrow('failed to verify CSR signature', { kind: 'invalid' }));

  call.log.info('Renewing agent SVID');
  const svid = await issuer
    .agentX509Svid(id, csr.publicKey)
    .catch(rethrow('failed to sign X509 SVID'));
  await agents
    .update(id, { newSerialNumber: svid.serialNumber.toString(), newExpiresAt: svid.notAfter })
    .catch(rethrow('failed to update agent', { notFound: 'agent not found' }));
  return { svid: x509SvidToProto(id, svid) };
}
