import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { Fault } from '../../../base/fault.ts';

const MAPPED = '::ffff:';

/** The peer's address must be one of the leaf's IP SANs (`reference/node-attestation.md` §4.4). Throws. */
export function verifyClientIp(leafDer: Uint8Array, clientIp: string | undefined): void {
  if (clientIp === undefined || clientIp === '') {
    throw new Fault('internal', 'client IP not available for verification');
  }
  if (isIP(clientIp) === 0) throw new Fault('internal', `invalid client IP "${clientIp}"`);
  const leaf = new X509Certificate(leafDer);
  if (!bothForms(clientIp).some((ip) => leaf.checkIP(ip) !== undefined)) {
    throw new Fault('denied', `client IP ${clientIp} does not match any certificate IP SAN`);
  }
}

/** An IPv4 address equals the IPv6 one that it is mapped to (RFC 4291 §2.5.5.2). */
function bothForms(ip: string): readonly string[] {
  if (isIP(ip) === 4) return [ip, `${MAPPED}${ip}`];
  const mapped = ip.toLowerCase().startsWith(MAPPED) ? ip.slice(MAPPED.length) : '';
  return isIP(mapped) === 4 ? [ip, mapped] : [ip];
}
