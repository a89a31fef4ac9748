import type { Selector } from './selector.ts';
import type { SpiffeId } from './spiffe-id.ts';

/** An attested node, as the server keeps it. */
export type Agent = {
  readonly id: SpiffeId;
  /** The node attestor's name. */
  readonly attestationType: string;
  /** Decimal; empty when banned. */
  readonly serialNumber: string;
  /** Unix seconds: when the current SVID ends. */
  readonly expiresAt: number;
  /** The renewed SVID, until the agent first uses it. */
  readonly newSerialNumber: string;
  readonly newExpiresAt: number | undefined;
  readonly canReattest: boolean;
  readonly agentVersion: string;
  readonly selectors: readonly Selector[];
};

/** A ban is stored as an agent without any serial number (`reference/server.md` §8.1). */
export const isBanned = (agent: Pick<Agent, 'serialNumber'>): boolean => agent.serialNumber === '';
