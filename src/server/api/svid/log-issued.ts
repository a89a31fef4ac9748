import type { Log, LogFields } from '../../../ops/log.ts';
import { logList } from '../../../ops/log-list.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { IssuedJwtSvid, IssuedX509Svid } from '../../ca/contract.ts';
import { rfc3339 } from '../audit-values.ts';

/*
 * The lines that issued SVIDs leave at level debug (`reference/server.md` §14.3). Thousands a second are issued: their
 * fields are made only where somebody reads them.
 */

export function logX509Svid(
  log: Log,
  { id, svid, about }: { id: SpiffeId; svid: IssuedX509Svid; about: () => LogFields },
): void {
  if (!log.enabled('debug')) return;
  log.debug('Signed X509 SVID', {
    spiffe_id: id.toString(),
    serial_num: String(svid.serialNumber),
    expiration: rfc3339(svid.notAfter),
    ...about(),
  });
}

export function logJwtSvid(
  log: Log,
  { id, audience, svid }: { id: SpiffeId; audience: readonly string[]; svid: IssuedJwtSvid },
): void {
  if (!log.enabled('debug')) return;
  log.debug('Server CA successfully signed JWT SVID', {
    spiffe_id: id.toString(),
    audience: logList(audience),
    expiration: rfc3339(svid.expiresAt),
  });
}

export function logMintedWitSvid(
  log: Log,
  { id, svid }: { id: SpiffeId; svid: IssuedJwtSvid },
): void {
  if (!log.enabled('debug')) return;
  log.debug('Server CA successfully signed WIT-SVID', {
    spiffe_id: id.toString(),
    expiration: rfc3339(svid.expiresAt),
  });
}
