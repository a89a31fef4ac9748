import { Fault } from '../../base/fault.ts';
import { nameFailure } from '../../catalog/name-failure.ts';
import type { AgentAttestation, AgentNodeAttestor, ServerNodeAttestor } from './contract.ts';

/** The same attestor; what it throws says `nodeattestor(<name>): ` first (`reference/node-attestation.md` §2.1). */
export const namedServerNodeAttestor = (attestor: ServerNodeAttestor): ServerNodeAttestor => ({
  name: attestor.name,
  async attest(payload, conversation) {
    if (payload.length === 0) throw new Fault('invalid', 'payload cannot be empty');
    return named(attestor.name, attestor.attest(payload, conversation));
  },
  [Symbol.asyncDispose]: () => attestor[Symbol.asyncDispose](),
});

export const namedAgentNodeAttestor = (attestor: AgentNodeAttestor): AgentNodeAttestor => ({
  name: attestor.name,
  begin: async (signal) =>
    namedAttestation(attestor.name, await named(attestor.name, attestor.begin(signal))),
  remedy: (failure) => attestor.remedy?.(failure),
  [Symbol.asyncDispose]: () => attestor[Symbol.asyncDispose](),
});

const namedAttestation = (name: string, attestation: AgentAttestation): AgentAttestation => ({
  payload: attestation.payload,
  answer: (challenge) => named(name, attestation.answer(challenge)),
});

async function named<T>(name: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw nameFailure('NodeAttestor', name, error);
  }
}
