/**
 * A time as Go prints it in the local zone, `2026-03-01 11:00:00.5 +0100 CET`. What a zone calls itself depends on
 * the language asked; of those that know a short name the first counts, and without one the offset stands for it.
 */
export function goTimeText(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString();
  const fraction = local.slice(19, -1).replace(/\.?0+$/, '');
  const offset = offsetText(minutes);
  return `${local.slice(0, 10)} ${local.slice(11, 19)}${fraction} ${offset} ${zoneName(date, minutes, offset)}`;
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes);
  const twoDigits = (number: number): string => String(number).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(size / 60))}${twoDigits(size % 60)}`;
}

const LANGUAGES = ['en-US', 'en-GB', 'en-AU', 'en-IN'];

/** The first question about a language takes 20 ms and 7 MB; most servers run in UTC and need not ask. */
function zoneName(date: Date, minutes: number, offset: string): string {
  if (String(date).endsWith('(Coordinated Universal Time)')) return 'UTC';
  for (const language of LANGUAGES) {
    const shown = date.toLocaleTimeString(language, { timeZoneName: 'short' }).split(' ').at(-1);
    if (shown !== undefined && /^[A-Z]{2,5}$/.test(shown) && (shown !== 'GMT' || minutes === 0)) {
      return shown;
    }
  }
  return offset.endsWith('00') ? offset.slice(0, 3) : offset;
}
