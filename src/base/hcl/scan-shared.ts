import { type Cursor, digitValue, END, isDecimal } from './cursor.ts';

/** A string's escape sequence, whose backslash was read. */
export function scanEscape(cursor: Cursor): void {
  const character = cursor.next();
  if (NAMED_ESCAPES.includes(character)) return;
  if (character >= '0' && character <= '7') return scanDigits(cursor, character, 8, 3);
  const length = HEX_ESCAPES.get(character);
  if (length === undefined) cursor.fail('illegal char escape');
  else scanDigits(cursor, cursor.next(), 16, length);
}

const NAMED_ESCAPES = ['a', 'b', 'f', 'n', 'r', 't', 'v', '\\', '"'];
const HEX_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/** `count` digits of that base, the first of which was read. */
function scanDigits(cursor: Cursor, first: string, base: number, count: number): void {
  let character = first;
  let left = count;
  while (left > 0 && digitValue(character) < base) {
    character = cursor.next();
    if (character === END) break;
    left -= 1;
  }
  if (left > 0) cursor.fail('illegal char escape');
  if (left !== count && character !== END) cursor.unread();
}

/** What follows the first part of a number: fraction and exponent. Says whether there was any. */
export function scanFractionAndExponent(cursor: Cursor, character: string): boolean {
  if (isExponentMark(character)) {
    scanExponent(cursor);
    return true;
  }
  if (character !== '.') return false;
  scanDecimals(cursor);
  if (isExponentMark(cursor.peek())) {
    cursor.next();
    scanExponent(cursor);
  }
  return true;
}

const isExponentMark = (character: string): boolean => character === 'e' || character === 'E';

function scanExponent(cursor: Cursor): void {
  if (cursor.peek() === '-' || cursor.peek() === '+') cursor.next();
  scanDecimals(cursor);
}

/** As many decimal digits as there are. */
export function scanDecimals(cursor: Cursor): void {
  while (isDecimal(cursor.peek())) cursor.next();
}
