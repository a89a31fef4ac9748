import {
  type Cursor,
  END,
  isDecimal,
  isDigit,
  isHexadecimal,
  isLetter,
  isWhitespace,
} from './cursor.ts';
import type { Position } from './position.ts';
import { scanDecimals, scanEscape, scanFractionAndExponent } from './scan-shared.ts';

/** Named as the reference names them in its complaints. */
export type HclTokenType =
  | 'ILLEGAL'
  | 'EOF'
  | 'IDENT'
  | 'NUMBER'
  | 'FLOAT'
  | 'BOOL'
  | 'STRING'
  | 'HEREDOC'
  | 'LBRACK'
  | 'RBRACK'
  | 'LBRACE'
  | 'RBRACE'
  | 'COMMA'
  | 'PERIOD'
  | 'ASSIGN'
  | 'ADD'
  | 'SUB';

export type HclToken = {
  readonly type: HclTokenType;
  readonly text: string;
  readonly position: Position;
};

const SINGLE: Readonly<Record<string, HclTokenType | undefined>> = {
  '[': 'LBRACK',
  ']': 'RBRACK',
  '{': 'LBRACE',
  '}': 'RBRACE',
  ',': 'COMMA',
  '=': 'ASSIGN',
  '+': 'ADD',
};

/** The next token that is not a comment. */
export function scanHcl(cursor: Cursor): HclToken {
  for (;;) {
    let character = cursor.next();
    while (isWhitespace(character)) character = cursor.next();
    const start = cursor.lastOffset;
    const position = cursor.lastPosition;
    if (character === '#' || character === '/') {
      scanComment(cursor, character);
      continue;
    }
    const type = scanToken(cursor, character);
    const text = cursor.text.slice(start, cursor.offset);
    if (type === 'IDENT' && (text === 'true' || text === 'false')) {
      return { type: 'BOOL', text, position };
    }
    return { type, text, position };
  }
}

function scanToken(cursor: Cursor, character: string): HclTokenType {
  if (isLetter(character)) return scanIdentifier(cursor);
  if (isDecimal(character)) return scanNumber(cursor, character);
  switch (character) {
    case END:
      return 'EOF';
    case '"':
      return scanString(cursor);
    case '<':
      return scanHeredoc(cursor);
    case '.':
      if (!isDecimal(cursor.peek())) return 'PERIOD';
      scanFractionAndExponent(cursor, '.');
      return 'FLOAT';
    case '-':
      return isDecimal(cursor.peek()) ? scanNumber(cursor, cursor.next()) : 'SUB';
    default:
      break;
  }
  const single = SINGLE[character];
  if (single === undefined) cursor.fail('illegal char');
  return single ?? 'ILLEGAL';
}

function scanIdentifier(cursor: Cursor): 'IDENT' {
  for (;;) {
    const character = cursor.peek();
    if (!isLetter(character) && !isDigit(character) && character !== '-' && character !== '.') {
      countEnd(cursor, 1);
      return 'IDENT';
    }
    cursor.next();
  }
}

/** The library reads the end of the text as one more character each time it looks at it; its columns show it. */
function countEnd(cursor: Cursor, times: number): void {
  if (cursor.peek() !== END) return;
  for (let count = 0; count < times; count++) cursor.next();
}

/** `#` and `//` up to the end of the line, `/*` up to the matching end. */
function scanComment(cursor: Cursor, first: string): void {
  if (first === '/' && cursor.peek() === '*') return scanBlockComment(cursor);
  if (first === '/' && cursor.peek() !== '/') return cursor.fail("expected '/' for comment");
  while (cursor.peek() !== '\n' && cursor.peek() !== END) cursor.next();
  countEnd(cursor, 1);
}

function scanBlockComment(cursor: Cursor): void {
  cursor.next(); // the star
  let before = '';
  for (;;) {
    const character = cursor.next();
    if (character === END) return cursor.fail('comment not terminated');
    if (before === '*' && character === '/') return;
    before = character;
  }
}

/** Decimal, `0x` hexadecimal, octal with a leading 0, and floating point. */
function scanNumber(cursor: Cursor, first: string): 'NUMBER' | 'FLOAT' {
  const start = cursor.lastOffset;
  if (first === '0' && (cursor.peek() === 'x' || cursor.peek() === 'X')) {
    cursor.next();
    if (!isHexadecimal(cursor.peek())) {
      cursor.next();
      cursor.fail('illegal hexadecimal number');
    }
    while (isHexadecimal(cursor.peek())) cursor.next();
    countEnd(cursor, 1);
    return 'NUMBER';
  }
  scanDecimals(cursor);
  const digits = cursor.text.slice(start, cursor.offset);
  if (['.', 'e', 'E'].includes(cursor.peek())) {
    scanFractionAndExponent(cursor, cursor.next());
    return 'FLOAT';
  }
  if (first === '0' && /[89]/.test(digits)) cursor.fail('illegal octal number');
  countEnd(cursor, first === '0' ? 1 : 2);
  return 'NUMBER';
}

/** Quotes inside `${ }` do not end a string, and line ends are allowed there. */
function scanString(cursor: Cursor): 'STRING' {
  let braces = 0;
  for (;;) {
    const character = cursor.next();
    if ((character === '\n' && braces === 0) || character === END) {
      cursor.fail('literal not terminated');
      return 'STRING';
    }
    if (character === '"' && braces === 0) return 'STRING';
    if (braces === 0 && character === '$' && cursor.peek() === '{') {
      braces = 1;
      cursor.next();
    } else if (braces > 0 && character === '{') {
      braces += 1;
    } else if (braces > 0 && character === '}') {
      braces -= 1;
    }
    if (character === '\\') scanEscape(cursor);
  }
}

/** `<<EOF` or `<<-EOF` up to a line that holds only the anchor. The token ends after that line. */
function scanHeredoc(cursor: Cursor): 'HEREDOC' {
  if (cursor.next() !== '<') {
    cursor.fail("heredoc expected second '<', didn't see it");
    return 'HEREDOC';
  }
  const anchor = scanAnchor(cursor);
  if (anchor === undefined) return 'HEREDOC';
  let lineStart = cursor.offset;
  for (;;) {
    const character = cursor.next();
    if (character === END) {
      cursor.fail('heredoc not terminated');
      return 'HEREDOC';
    }
    if (character !== '\n') continue;
    if (isAnchorLine(cursor.text.slice(lineStart, cursor.offset - 1), anchor)) return 'HEREDOC';
    lineStart = cursor.offset;
  }
}

function scanAnchor(cursor: Cursor): string | undefined {
  let character = cursor.next();
  if (character === '-') character = cursor.next();
  const start = cursor.lastOffset;
  while (isLetter(character) || isDigit(character)) character = cursor.next();
  const anchor = cursor.text.slice(start, cursor.lastOffset);
  if (character === END) cursor.fail('heredoc not terminated');
  else if (character !== '\n') cursor.fail('invalid characters in heredoc anchor');
  else if (anchor === '') cursor.fail('zero-length heredoc anchor');
  else return anchor;
  return undefined;
}

/** Blanks may precede the anchor; carriage returns may follow it. */
function isAnchorLine(line: string, anchor: string): boolean {
  let start = 0;
  while (ASCII_SPACE.includes(line[start] ?? 'x')) start += 1;
  if (!line.startsWith(anchor, start)) return false;
  for (let at = start + anchor.length; at < line.length; at++) {
    if (line[at] !== '\r') return false;
  }
  return true;
}

const ASCII_SPACE = ' \t\n\v\f\r';
