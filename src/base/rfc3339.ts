/**
 * A time as Go prints a local one (RFC 3339): with the local zone's offset, `Z` when that is zero. `fraction` adds
 * what there is below the second, without trailing zeros (Go's RFC3339Nano).
 */
export function rfc3339(
  milliseconds: number,
  { fraction = false }: { readonly fraction?: boolean } = {},
): string {
  const offsetMinutes = -new Date(milliseconds).getTimezoneOffset();
  const local = new Date(milliseconds + offsetMinutes * 60_000).toISOString();
  const below = fraction ? local.slice(19, -1).replace(/\.?0+$/, '') : '';
  return `${local.slice(0, 19)}${below}${offsetText(offsetMinutes)}`;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return 'Z';
  const [sign, size] = [minutes < 0 ? '-' : '+', Math.abs(minutes)];
  const twoDigits = (number: number) => String(number).padStart(2, '0');
  return `${sign}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}
