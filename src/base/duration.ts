import { Fault } from './fault.ts';

/** Nanoseconds in each unit that Go's `time.ParseDuration` knows; both signs of "micro" are accepted. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** Go keeps a duration in 64 bits with a sign. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;

/** No duration of interest is longer; hostile text must not cost us arithmetic on huge numbers. */
const MAX_TEXT_LENGTH = 512;

/**
 * A duration as Go reads it (`1h30m`, `-1.5s`), in nanoseconds. Throws a Fault 'invalid' with Go's words,
 * such as `time: invalid duration "x"`.
 */
export function parseGoDuration(text: string): bigint {
  const negative = text.startsWith('-');
  let rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '' || text.length > MAX_TEXT_LENGTH) throw invalid(text);
  let total = 0n;
  while (rest !== '') {
    const [, whole = '', point, fraction = '', unit = ''] = TERM.exec(rest) ?? [];
    if (whole === '' && fraction === '') throw invalid(text);
    if (unit === '') throw new Fault('invalid', `time: missing unit in duration ${quote(text)}`);
    const scale = UNITS.get(unit);
    if (scale === undefined) {
      throw new Fault('invalid', `time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    total += BigInt(whole || '0') * scale + fractionOf(fraction, scale);
    if (total > MAX_NANOSECONDS + (negative ? 1n : 0n)) throw invalid(text);
    rest = rest.slice(whole.length + (point ?? '').length + fraction.length + unit.length);
  }
  return negative ? -total : total;
}

const TERM = /^(\d*)(\.?)(\d*)([^\d.]*)/;

const fractionOf = (digits: string, scale: bigint): bigint =>
  digits === '' ? 0n : (BigInt(digits) * scale) / 10n ** BigInt(digits.length);

/** Nanoseconds as Go prints a duration: `1h0m0s`, `1.5s`, `10ms`, `0s`. */
export function formatGoDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  if (nanoseconds < 0n) return `-${formatGoDuration(-nanoseconds)}`;
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < 1_000_000n) return `${decimal(nanoseconds, 3)}µs`;
  if (nanoseconds < 1_000_000_000n) return `${decimal(nanoseconds, 6)}ms`;
  const minutes = nanoseconds / 60_000_000_000n;
  const seconds = `${decimal(nanoseconds % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return seconds;
  const hours = minutes / 60n;
  return hours === 0n ? `${minutes}m${seconds}` : `${hours}h${minutes % 60n}m${seconds}`;
}

/** `value` / 10^places, without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const unit = 10n ** BigInt(places);
  const fraction = String(value % unit)
    .padStart(places, '0')
    .replace(/0+$/, '');
  return `${value / unit}${fraction === '' ? '' : `.${fraction}`}`;
}

const invalid = (text: string): Fault =>
  new Fault('invalid', `time: invalid duration ${quote(text)}`);

/** Go's time package quotes in a way of its own: bytes that are not printable ASCII as `\xNN`. */
function quote(text: string): string {
  const bytes = [...new TextEncoder().encode(text)].map((byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    if (byte >= 0x20 && byte < 0x80) return String.fromCharCode(byte);
    return `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `"${bytes.join('')}"`;
}
