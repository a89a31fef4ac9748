import { Fault } from '../base/fault.ts';
import { matchAny, matchMemberOf, matchOneOf } from '../spiffe/matcher.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';

/**
 * Decides whether a peer, whose SVID was verified, is one to talk to. Throws to refuse; what it throws is what the
 * connection fails with.
 */
export type Authorizer = (id: SpiffeId) => void;

/** Everybody whose SVID a bundle verifies: of the own trust domain, and of all that it federates with. */
export const authorizeAny = (): Authorizer => matchAny;

/** Exactly that SPIFFE ID. Throws 'invalid' if it is malformed. */
export const authorizeId = (id: SpiffeId | string): Authorizer => authorizeOneOf([id]);

/** One of these SPIFFE IDs. Throws 'invalid' if one is malformed, or there is none. */
export function authorizeOneOf(ids: readonly (SpiffeId | string)[]): Authorizer {
  if (ids.length === 0) throw new Fault('invalid', 'there is no ID to authorize');
  return matchOneOf(ids.map((id) => (typeof id === 'string' ? SpiffeId.parse(id) : id)));
}

/** Every member of that trust domain. Throws 'invalid' if its name is malformed. */
export const authorizeMemberOf = (trustDomain: TrustDomain | string): Authorizer =>
  matchMemberOf(typeof trustDomain === 'string' ? TrustDomain.parse(trustDomain) : trustDomain);
