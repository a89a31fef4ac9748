import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import type { AuthorityStateSchema } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { Authority, X509Ca } from '../../ca/authority.ts';
import type { AuthoritySlots } from '../../ca/slots.ts';

export type State = MessageInitShape<typeof AuthorityStateSchema>;
export type States = { readonly active: State; readonly prepared?: State; readonly old?: State };
export type SlotsOf<A extends Authority> = Pick<
  AuthoritySlots<A>,
  'current' | 'next' | 'active' | 'inTurn'
>;

export const keyState = ({ authorityId, notAfter }: Authority): State => ({
  authorityId,
  expiresAt: BigInt(notAfter),
});

export const x509State = (ca: X509Ca): State => ({
  ...keyState(ca),
  upstreamAuthoritySubjectKeyId: ca.upstreamAuthorityId,
});

/** What signs, and what the other slot has: the successor, or what it holds of the predecessor. */
export function statesOf<A extends Authority>(
  { current, next }: Pick<SlotsOf<A>, 'current' | 'next'>,
  stateOf: (authority: A) => State,
  log: Log,
): States {
  if (current.held?.status !== 'active') throw new Fault('unavailable', INITIALIZING);
  const active = stateOf(current.held.authority);
  if (next.held === undefined) return { active };
  const other = stateOf(next.held.authority);
  switch (next.held.status) {
    case 'prepared':
      return { active, prepared: other };
    case 'old':
      return { active, old: other };
    case 'active':
    case 'unknown':
      log.error('Slot has an unknown status', { local_authority_id: other.authorityId });
      return { active };
    default:
      return next.held.status satisfies never;
  }
}

/** Nobody may prepare a successor to what does not sign yet. */
export function checkActive({ current }: Pick<SlotsOf<Authority>, 'current'>): void {
  if (current.held?.status !== 'active') throw new Fault('unavailable', INITIALIZING);
}

const INITIALIZING = 'server is initializing';
