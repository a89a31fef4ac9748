import { Fault } from '../../../base/fault.ts';
import { parseJws } from '../../../crypto/jose/jws.ts';
import { readJwtClaims } from '../../../spiffe/jwt-claims.ts';

/** Unix seconds. Throws 'invalid'; the token comes from our own server, so nothing is verified. */
export function tokenExpiry(token: string): bigint {
  const { expiresAt } = readJwtClaims(parseJws(token).payload);
  if (expiresAt === undefined) throw new Fault('invalid', 'no expiry claim');
  return BigInt(Math.trunc(expiresAt));
}
