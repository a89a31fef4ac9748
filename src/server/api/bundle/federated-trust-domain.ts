import { Fault } from '../../../base/fault.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { prefixed } from '../../../wire/prefixed.ts';

/** A trust domain other than the server's own; `refusal` says what may not be done to that. Throws 'invalid'. */
export function federatedTrustDomain(text: string, own: TrustDomain, refusal: string): TrustDomain {
  const trustDomain = prefixed('trust domain argument is not valid', () => TrustDomain.parse(text));
  if (trustDomain.equals(own)) throw new Fault('invalid', refusal);
  return trustDomain;
}
