import type { Clock } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { parseJws } from '../../crypto/jose/jws.ts';
import { readJwtClaims } from '../../spiffe/jwt-claims.ts';
import { cappedText } from './lifetime.ts';

/** What is to be said of a token that lives shorter than was asked for, or whose end is not known. */
export function lifetimeRemark(
  what: 'JWT-SVID' | 'WIT-SVID',
  token: string,
  ttl: bigint,
  clock: Clock,
): string | undefined {
  try {
    return cappedText(what, tokenExpiry(token), ttl, clock);
  } catch (error) {
    return `Unable to determine ${what} lifetime: ${reasonOf(error)}\n`;
  }
}

/** Unix seconds. Throws 'invalid'; the token comes from our own server, so nothing is verified. */
function tokenExpiry(token: string): bigint {
  const { expiresAt } = readJwtClaims(parseJws(token).payload);
  if (expiresAt === undefined) throw new Fault('invalid', 'no expiry claim');
  return BigInt(Math.trunc(expiresAt));
}
