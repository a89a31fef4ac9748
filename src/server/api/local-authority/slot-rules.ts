import { Fault, type FaultKind } from '../../../base/fault.ts';
import type { Authority } from '../../ca/authority.ts';
import type { Slot, SlotStatus } from '../../ca/slots.ts';
import type { SlotsOf } from './authority-state.ts';

/** An operator's choice, checked in SPIRE's order against where the authorities are (`reference/server.md` §6.5). */
export function checkActivation<A extends Authority>(
  { next }: Pick<SlotsOf<A>, 'next'>,
  authorityId: string,
): void {
  if (authorityId === '') throw new Fault('invalid', NO_ID);
  if (authorityId !== idIn(next)) throw new Fault('invalid', UNEXPECTED);
  checkStatus(next, 'prepared', 'only Prepared authorities can be activated', 'internal');
}

/** What signs cannot be tainted, nor what is to sign next. Answers with the old authority. */
export function checkTainting<A extends Authority>(
  { current, next }: Pick<SlotsOf<A>, 'current' | 'next'>,
  authorityId: string,
): A {
  if (authorityId === '') throw new Fault('invalid', NO_ID);
  if (authorityId === idIn(current)) {
    throw new Fault('invalid', 'unable to taint current local authority');
  }
  if (next.held === undefined || authorityId !== idIn(next)) throw new Fault('invalid', UNEXPECTED);
  checkStatus(next, 'old', 'only Old local authorities can be tainted', 'invalid');
  return next.held.authority;
}

/** As it comes after the words "invalid authority ID". */
export function checkX509Revocation(
  { current, next }: Pick<SlotsOf<Authority>, 'current' | 'next'>,
  authorityId: string,
): void {
  if (authorityId === '') throw new Fault('invalid', NO_ID);
  if (authorityId === idIn(current)) throw new Fault('invalid', 'unable to use current authority');
  if (authorityId !== idIn(next) || next.held?.status !== 'old') {
    throw new Fault('invalid', 'only Old local authority can be revoked');
  }
}

/** The same of a JWT authority, which may be any in the bundle: those of other servers too. */
export function checkJwtRevocation(
  { current, next }: Pick<SlotsOf<Authority>, 'current' | 'next'>,
  isInBundle: (keyId: string) => boolean,
  authorityId: string,
): void {
  if (authorityId === '') throw new Fault('invalid', NO_ID);
  if (authorityId === idIn(next) && next.held?.status === 'prepared') {
    throw new Fault('invalid', 'unable to use a prepared key');
  }
  if (authorityId === idIn(current)) throw new Fault('invalid', 'unable to use current authority');
  if (authorityId !== idIn(next) && !isInBundle(authorityId)) {
    throw new Fault('invalid', 'no JWT authority found with provided authority ID');
  }
}

const NO_ID = 'no authority ID provided';
const UNEXPECTED = 'unexpected authority ID';

const idIn = ({ held }: Slot<Authority>): string | undefined => held?.authority.authorityId;

function checkStatus(
  { held }: Slot<Authority>,
  wanted: SlotStatus,
  rule: string,
  kind: FaultKind,
): void {
  if (held?.status === wanted) return;
  const cause = new Fault(
    kind,
    `unsupported local authority status: ${(held?.status ?? 'unknown').toUpperCase()}`,
  );
  throw new Fault(kind, `${rule}: ${cause.message}`, { cause });
}
