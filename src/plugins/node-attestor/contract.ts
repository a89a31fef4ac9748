import type { SpiffeId } from '../../spiffe/spiffe-id.ts';

/** The agent's end of a node attestation: says who this node is, and answers what the server asks. */
export interface AgentNodeAttestor extends AsyncDisposable {
  /** The attestation data's type on the wire. */
  readonly name: string;
  /** Starts one attestation. Throws with the plugin's words. */
  begin(signal: AbortSignal): Promise<AgentAttestation>;
  /** What a person must do about a failed attestation before the next try can succeed; undefined: nothing known. */
  remedy?(failure: unknown): string | undefined;
}

export interface AgentAttestation {
  /** Never empty. */
  readonly payload: Uint8Array;
  /** Answers one challenge; called in the order the challenges arrive. Throws 'internal' if none was expected. */
  answer(challenge: Uint8Array): Promise<Uint8Array>;
}

/** The server's end: verifies the payload, and says which agent it is. */
export interface ServerNodeAttestor extends AsyncDisposable {
  readonly name: string;
  /** The result holds only what was verified. Throws a Fault whose kind becomes the status' code. */
  attest(payload: Uint8Array, conversation: AttestationConversation): Promise<NodeAttestation>;
}

/** The agent that is being attested, as its server sees it. */
export type AttestationConversation = {
  /** Sends one challenge to the agent and resolves with its answer. */
  challenge(bytes: Uint8Array): Promise<Uint8Array>;
  /** The peer's IP address; undefined where it has none. */
  readonly clientIp: string | undefined;
  readonly signal: AbortSignal;
};

export type NodeAttestation = {
  readonly agentId: SpiffeId;
  /** Selector values; the type is the attestor's name. */
  readonly selectorValues: readonly string[];
  readonly canReattest: boolean;
};
