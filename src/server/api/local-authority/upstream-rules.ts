import { Fault } from '../../../base/fault.ts';
import type { X509Ca } from '../../ca/authority.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { SlotsOf } from './authority-state.ts';

/** Only a root that signed the old authority, and not the current one, may go (`reference/server.md` §14.7). */
export function checkUpstreamAuthority(
  { current, next }: Pick<SlotsOf<X509Ca>, 'current' | 'next'>,
  subjectKeyId: string,
): void {
  if (subjectKeyId === '') throw new Fault('invalid', 'no subject key ID provided');
  if (subjectKeyId === current.held?.authority.upstreamAuthorityId) {
    throw new Fault('invalid', 'unable to use upstream authority singing current authority');
  }
  if (subjectKeyId !== next.held?.authority.upstreamAuthorityId) {
    throw new Fault('invalid', "upstream authority didn't sign the old local authority");
  }
  if (next.held.status === 'prepared') {
    throw new Fault('invalid', 'only upstream authorities signing an old authority can be used');
  }
}

export function checkHasUpstream({ hasUpstream }: Pick<AuthorityManager, 'hasUpstream'>): void {
  if (!hasUpstream) {
    throw new Fault('failed-precondition', 'upstream authority is not configured');
  }
}

export function checkHasNoUpstream(
  { hasUpstream }: Pick<AuthorityManager, 'hasUpstream'>,
  what: 'tainted' | 'revoked',
): void {
  if (!hasUpstream) return;
  throw new Fault(
    'failed-precondition',
    `local authority can't be ${what} if there is an upstream authority`,
  );
}
