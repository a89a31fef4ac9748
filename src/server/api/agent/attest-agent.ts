import { Fault, kindOf } from '../../../base/fault.ts';
import { parseCsr, verifyCsr } from '../../../crypto/csr.ts';
import type {
  NodeAttestation,
  ServerNodeAttestor,
} from '../../../plugins/node-attestor/contract.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { Agent } from '../../../spiffe/agent.ts';
import { isBanned } from '../../../spiffe/agent.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  AttestAgentRequest,
  AttestAgentResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { AgentRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { messageReader } from '../message-reader.ts';
import { rethrow } from '../refusal.ts';
import { x509SvidToProto } from '../x509-svid-answer.ts';
import { readAttestParams } from './attest-params.ts';
import { checkAttestedId } from './attested-id.ts';
import { nodeSelectors } from './node-selectors.ts';
import { relayChallenges } from './relay-challenges.ts';

export type AttestAgentDeps = {
  readonly agents: Pick<AgentRegistry, 'confirm' | 'attested'>;
  /** By the type of the attestation data; `join_token` is always there. Their faults say who throws them. */
  readonly nodeAttestors: ReadonlyMap<string, Pick<ServerNodeAttestor, 'attest'>>;
  readonly issuer: Pick<Issuer, 'agentX509Svid'>;
  readonly trustDomain: TrustDomain;
  readonly agentSpiffeIdAsSelector: boolean;
};

type AttestCall = Pick<Call, 'rateLimit' | 'audit' | 'log' | 'signal' | 'address' | 'clientIp'>;

/** The steps are those of `reference/server.md` §14.4, in its order. */
export async function* attestAgent(
  deps: AttestAgentDeps,
  requests: AsyncIterable<Pick<AttestAgentRequest, 'step'>>,
  call: AttestCall,
): AsyncGenerator<Answer<typeof AttestAgentResponseSchema>, void, undefined> {
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to attest agent rate limiting', { kind: 'keep' }));
  const read = messageReader(requests);
  const { type, payload, csr } = await readAttestParams(read);
  call.audit({ node_attestor_type: type });

  const attestation = yield* relayChallenges(nodeAttestor(deps, type), payload, read, call);
  const { agentId } = attestation;
  const id = agentId.toString();
  call.audit({ agent_id: id });
  checkAttestedId(agentId, type, deps.trustDomain, call.log);

  const known = await deps.agents.confirm(agentId).catch(rethrow('failed to fetch agent'));
  if (known !== undefined && isBanned(known)) throw banned();
  const request = prefixed('failed to parse CSR', () => parseCsr(csr));
  // SPIRE does not check it; whoever asks for a key's certificate must hold the key.
  await verifyCsr(request).catch(rethrow('failed to verify CSR signature', { kind: 'invalid' }));
  const { publicKey } = request;
  const svid = await deps.issuer
    .agentX509Svid(agentId, publicKey)
    .catch(rethrow('failed to sign X509 SVID'));
  await store(deps, known, attestedAgent(deps, type, attestation, svid));

  call.log.info('Agent attestation request completed', {
    address: call.address,
    agent_id: id,
    node_attestor_type: type,
  });
  yield {
    step: {
      case: 'result',
      value: { svid: x509SvidToProto(agentId, svid), reattestable: attestation.canReattest },
    },
  };
}

function nodeAttestor({ nodeAttestors }: AttestAgentDeps, type: string) {
  const attestor = nodeAttestors.get(type);
  if (attestor === undefined) {
    throw new Fault(
      'failed-precondition',
      `error getting node attestor: could not find node attestor type "${type}"`,
    );
  }
  return attestor;
}

const attestedAgent = (
  { agentSpiffeIdAsSelector }: AttestAgentDeps,
  type: string,
  { agentId, selectorValues, canReattest }: NodeAttestation,
  svid: Awaited<ReturnType<Issuer['agentX509Svid']>>,
): Agent => ({
  id: agentId,
  attestationType: type,
  serialNumber: svid.serialNumber.toString(),
  expiresAt: svid.notAfter,
  newSerialNumber: '',
  newExpiresAt: undefined,
  canReattest,
  agentVersion: '',
  selectors: nodeSelectors(type, selectorValues, agentSpiffeIdAsSelector ? agentId : undefined),
});

/** The datastore has the last word on whether the agent is banned: that may have come since we looked. */
async function store(
  { agents }: AttestAgentDeps,
  known: Agent | undefined,
  agent: Agent,
): Promise<void> {
  try {
    await agents.attested(agent);
  } catch (error) {
    if (kindOf(error) === 'denied') throw banned();
    rethrow(`failed to ${known === undefined ? 'create' : 'update'} attested agent`)(error);
  }
}

const banned = () => new Fault('denied', 'failed to attest: agent is banned');
