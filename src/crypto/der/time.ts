import { Fault } from '../../base/fault.ts';
import { Tag } from './tags.ts';

/** UTCTime of RFC 5280 §4.1.2.5.1: `YYMMDDHHMMSSZ`, years 1950 to 2049. Unix seconds. */
export function readUtcTime(content: Uint8Array): number {
  const digits = digitsBeforeZ(content, 12);
  const year = number(digits, 0, 2);
  return unixSeconds(year < 50 ? 2000 + year : 1900 + year, digits.slice(2));
}

/** GeneralizedTime of RFC 5280 §4.1.2.5.2: `YYYYMMDDHHMMSSZ`, no fractions. Unix seconds. */
export function readGeneralizedTime(content: Uint8Array): number {
  const digits = digitsBeforeZ(content, 14);
  return unixSeconds(number(digits, 0, 4), digits.slice(4));
}

/** The tag and text of a Time: UTCTime from 1950 through 2049, else GeneralizedTime (RFC 5280 §4.1.2.5). */
export function timeForm(unixSeconds: number): { readonly tag: number; readonly text: string } {
  const date = new Date(Math.trunc(unixSeconds) * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) {
    throw new Fault('invalid', `asn1: cannot represent time as GeneralizedTime: ${unixSeconds}`);
  }
  const text = `${digitsOf(date)}Z`;
  const short = year >= 1950 && year < 2050;
  return short ? { tag: Tag.UTC_TIME, text: text.slice(2) } : { tag: Tag.GENERALIZED_TIME, text };
}

function digitsBeforeZ(content: Uint8Array, count: number): string {
  const text = Buffer.from(content).toString('latin1');
  if (text.length !== count + 1 || !/^\d+Z$/.test(text)) throw malformed();
  return text.slice(0, count);
}

function unixSeconds(year: number, digits: string): number {
  const [month, day, hours, minutes, seconds] = [0, 2, 4, 6, 8].map((at) => number(digits, at, 2));
  const time = new Date(0);
  time.setUTCFullYear(year, (month ?? 0) - 1, day);
  time.setUTCHours(hours ?? 0, minutes, seconds);
  // A field out of its range would have carried into the next.
  if (digitsOf(time).slice(4) !== digits) throw malformed();
  return time.getTime() / 1000;
}

/** `YYYYMMDDHHMMSS`, of `YYYY-MM-DDTHH:MM:SS.000Z`. */
function digitsOf(date: Date): string {
  const iso = date.toISOString();
  const part = (at: number) => iso.slice(at, at + 2);
  return iso.slice(0, 4) + part(5) + part(8) + part(11) + part(14) + part(17);
}

const number = (digits: string, at: number, length: number): number =>
  Number(digits.slice(at, at + length));

const malformed = (): Fault => new Fault('invalid', 'asn1: syntax error: malformed time');
