import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import type { SpiffeId } from './spiffe-id.ts';
import type { TrustDomain } from './trust-domain.ts';

/**
 * Decides whether a peer is the one that was meant; undefined is a peer without an ID. Throws 'denied' with the
 * reference client's words.
 */
export type Matcher = (actual: SpiffeId | undefined) => void;

export const matchAny: Matcher = () => {};

export const matchId = (expected: SpiffeId | undefined): Matcher => matchOneOf([expected]);

export const matchOneOf =
  (expected: readonly (SpiffeId | undefined)[]): Matcher =>
  (actual) => {
    const text = actual?.toString();
    if (expected.some((id) => id?.toString() === text)) return;
    throw new Fault('denied', `unexpected ID ${goQuote(text ?? '')}`);
  };

export const matchMemberOf =
  (expected: TrustDomain | undefined): Matcher =>
  (actual) => {
    const name = actual?.trustDomain.name;
    if (name === expected?.name) return;
    throw new Fault('denied', `unexpected trust domain ${goQuote(name ?? '')}`);
  };
