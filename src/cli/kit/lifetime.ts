import type { Clock } from '../../base/clock.ts';
import { rfc3339Text } from './go-time.ts';

/** What to remark if an SVID lives shorter from now on than the flag asked for; nothing if it does not. */
export function cappedText(
  what: 'X509-SVID' | 'JWT-SVID' | 'WIT-SVID',
  expiresAt: bigint,
  ttlNanoseconds: bigint,
  clock: Pick<Clock, 'now'>,
): string | undefined {
  const left = expiresAt * 1_000_000_000n - BigInt(clock.now()) * 1_000_000n;
  return left < ttlNanoseconds
    ? `${what} lifetime was capped shorter than specified ttl; expires "${rfc3339Text(expiresAt)}"\n`
    : undefined;
}
