import { Fault } from '../base/fault.ts';
import { AGENT_PATH_PREFIX, type SpiffeId } from './spiffe-id.ts';
import type { TrustDomain } from './trust-domain.ts';

const RESERVED_PATH = '/spire';

/** The rules below are SPIRE's for ID arguments, with its words (`reference/server.md` §14.1). Throws 'invalid'. */
export function checkMember(id: SpiffeId, trustDomain: TrustDomain): void {
  const refuse = refusal(id, `a member of trust domain "${trustDomain.name}"`);
  if (!id.memberOf(trustDomain)) throw refuse();
  if (id.path === '') throw refuse('path is empty');
}

/** The ID of an agent: under `/spire/agent/`. */
export function checkAgentId(id: SpiffeId, trustDomain: TrustDomain): void {
  const refuse = refusal(id, `an agent in trust domain "${trustDomain.name}"`);
  if (!id.memberOf(trustDomain)) checkMember(id, trustDomain);
  if (id.path === '') throw refuse('path is empty');
  if (!id.path.startsWith(AGENT_PATH_PREFIX)) throw refuse('path is not in the agent namespace');
}

/** The ID of a workload: not under `/spire`. */
export function checkWorkloadId(id: SpiffeId, trustDomain: TrustDomain): void {
  const refuse = refusal(id, `a workload in trust domain "${trustDomain.name}"`);
  if (!id.memberOf(trustDomain)) checkMember(id, trustDomain);
  if (id.path === '') throw refuse('path is empty');
  if (isReserved(id)) throw refuse('path is in the reserved namespace');
}

/** Whether the ID is SPIRE's own: of a server, an agent, or what it may come to need. */
export const isReserved = ({ path }: Pick<SpiffeId, 'path'>): boolean =>
  path === RESERVED_PATH || path.startsWith(`${RESERVED_PATH}/`);

const refusal = (id: SpiffeId, what: string) => (why?: string) =>
  new Fault('invalid', `"${id.toString()}" is not ${what}${why === undefined ? '' : `; ${why}`}`);
