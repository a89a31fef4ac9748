import type { Log } from '../../ops/log.ts';

const HOUR = 3600;
/** Longer than this no SVID should live. */
const MAX_TTL = 168 * HOUR;
/** A CA should live so many times as long as what it signs, so that it can be rotated in peace. */
const CA_TTL_FACTOR = 6;

/** Warns of a lifetime that the CA's own will cut short (`reference/server.md` §2). */
export function warnOfLongTtl(
  log: Log,
  key: string,
  ttlSeconds: number,
  caTtlSeconds: number,
): void {
  const limit = Math.min(caTtlSeconds / CA_TTL_FACTOR, MAX_TTL);
  if (ttlSeconds <= limit) return;
  const limitText = `SVIDs may get shorter lifetimes than configured. Set ${key} to ${hoursText(limit)} or less`;
  if (ttlSeconds < MAX_TTL) {
    log.warn(
      `${key} is too high for the configured ca_ttl value. ${limitText}, or ca_ttl to ${hoursText(ttlSeconds * CA_TTL_FACTOR)} or more.`,
    );
  } else if (caTtlSeconds < MAX_TTL * CA_TTL_FACTOR) {
    log.warn(
      `${key} is too high and the ca_ttl is too low. ${limitText}, or to ${hoursText(MAX_TTL)} with a ca_ttl of ${hoursText(MAX_TTL * CA_TTL_FACTOR)} or more.`,
    );
  } else {
    log.warn(`${key} is too high. ${limitText}.`);
  }
}

/** `4h`, `1h30m`: as Go prints a duration, without the units that are zero at its end. */
function hoursText(seconds: number): string {
  const [hours, minutes, rest] = [
    Math.floor(seconds / HOUR),
    Math.floor((seconds % HOUR) / 60),
    Math.round(seconds % 60),
  ];
  const parts = [
    ...(hours > 0 ? [`${hours}h`] : []),
    ...(minutes > 0 || (hours > 0 && rest > 0) ? [`${minutes}m`] : []),
    ...(rest > 0 || seconds < 60 ? [`${rest}s`] : []),
  ];
  return parts.join('');
}
