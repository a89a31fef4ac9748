const SECONDS_PER_DAY = 86_400n;

/** Unix seconds as Go prints a time in UTC: `2006-01-02 15:04:05 +0000 UTC`. */
export const goUtcTimeText = (unixSeconds: bigint): string =>
  `${dateAndTime(unixSeconds)} +0000 UTC`;

/** RFC 3339, in UTC, whole seconds. */
export const rfc3339Text = (unixSeconds: bigint): string =>
  `${dateAndTime(unixSeconds).replace(' ', 'T')}Z`;

/** As Go prints a time in a zone that lies so many seconds east of Greenwich. */
export function goZonedTimeText(
  unixSeconds: bigint,
  offsetSeconds: number,
  abbreviation: string | undefined,
): string {
  const offset = offsetText(offsetSeconds);
  const local = dateAndTime(unixSeconds + BigInt(offsetSeconds));
  return `${local} ${offset} ${abbreviation ?? shortOffset(offset)}`;
}

function offsetText(offsetSeconds: number): string {
  const minutes = Math.trunc(Math.abs(offsetSeconds) / 60);
  const digits = [Math.trunc(minutes / 60), minutes % 60].map((part) => pad(BigInt(part), 2));
  return `${offsetSeconds < 0 ? '-' : '+'}${digits.join('')}`;
}

const shortOffset = (offset: string): string =>
  offset.endsWith('00') ? offset.slice(0, 3) : offset;

/** The proleptic Gregorian calendar for every 64-bit time, far beyond what a Date holds. */
function dateAndTime(seconds: bigint): string {
  const days = floorDivide(seconds, SECONDS_PER_DAY);
  const time = seconds - days * SECONDS_PER_DAY;
  const { year, month, day } = civilDate(days);
  const date = [year < 0n ? `-${pad(-year, 4)}` : pad(year, 4), pad(month, 2), pad(day, 2)];
  const clock = [time / 3600n, (time / 60n) % 60n, time % 60n].map((part) => pad(part, 2));
  return `${date.join('-')} ${clock.join(':')}`;
}

/** The date of a day counted from 1970-01-01. Years run from March, so that the leap day ends one. */
function civilDate(days: bigint): { year: bigint; month: bigint; day: bigint } {
  const shifted = days + 719_468n; // from 0000-03-01
  const era = floorDivide(shifted, 146_097n); // of 400 years
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const monthFromMarch = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * monthFromMarch + 2n) / 5n + 1n;
  const month = monthFromMarch < 10n ? monthFromMarch + 3n : monthFromMarch - 9n;
  return { year: yearOfEra + era * 400n + (month <= 2n ? 1n : 0n), month, day };
}

const floorDivide = (a: bigint, b: bigint): bigint => (a < 0n ? (a - b + 1n) / b : a / b);

const pad = (value: bigint, width: number): string => String(value).padStart(width, '0');
