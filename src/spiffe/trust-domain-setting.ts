import { attempt } from '../base/complaints.ts';
import { goQuote } from '../base/go-quote.ts';
import type { Located } from '../base/located.ts';
import type { Problems } from '../base/problems.ts';
import type { Log } from '../ops/log.ts';
import { TrustDomain } from './trust-domain.ts';

/** Longer names may not interoperate (SPIFFE-ID §2.1). */
const MAX_LENGTH = 255;

/** A program's own trust domain as configured; undefined if it is not one, which is then told, or empty. */
export function readTrustDomain(
  { text, position }: Located,
  problems: Problems,
  log: Log,
): TrustDomain | undefined {
  if (text === '') return undefined; // told before there was a log
  const trustDomain = attempt(
    problems,
    () => TrustDomain.parse(text),
    (reason) => `could not parse trust_domain ${goQuote(text)}: ${reason}`,
    position,
  );
  if (trustDomain !== undefined && trustDomain.name.length > MAX_LENGTH) {
    log.warn(
      'Configured trust domain name should be less than 255 characters to be SPIFFE compliant; a longer trust domain name may impact interoperability',
      { trust_domain: trustDomain.name },
    );
  }
  return trustDomain;
}
