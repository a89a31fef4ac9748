import { Fault } from '../../base/fault.ts';

/**
 * A moment as SPIRE's SQLite driver writes it (`reference/server.md` §8.1, "stored values"): in the process' time zone,
 * `2026-11-23 23:45:07.15+01:00`, the fraction without trailing zeros.
 */
export function timeText(milliseconds: number): string {
  const offset = -new Date(milliseconds).getTimezoneOffset();
  const local = new Date(milliseconds + offset * 60_000).toISOString(); // YYYY-MM-DDTHH:MM:SS.mmmZ
  const fraction = local.slice(19, 23).replace(/\.?0+$/, '');
  return `${local.slice(0, 10)} ${local.slice(11, 19)}${fraction}${zoneText(offset)}`;
}

function zoneText(offsetMinutes: number): string {
  const sign = offsetMinutes < 0 ? '-' : '+';
  const minutes = Math.abs(offsetMinutes);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const TIME =
  /^(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(?:Z|([+-])(\d\d):(\d\d))?$/;

/** Unix seconds, with the fraction; without a zone it is UTC. A number counts seconds. Throws 'invalid'. */
export function readTimeText(stored: string | number): number {
  if (typeof stored === 'number') return stored;
  const match = TIME.exec(stored);
  if (match === null) throw new Fault('invalid', `malformed time "${stored}"`);
  const [, year, month, day, hour, minute, second = '0', fraction = '0', sign, ...zone] = match;
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
  );
  const [zoneHours = '0', zoneMinutes = '0'] = zone;
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -60 : 60);
  return local / 1000 + Number(second) - offset + Number(fraction);
}
