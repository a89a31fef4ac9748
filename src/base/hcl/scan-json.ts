import { type Cursor, END, isDecimal, isDigit, isLetter, isWhitespace } from './cursor.ts';
import type { Position } from './position.ts';
import { scanDecimals, scanEscape, scanFractionAndExponent } from './scan-shared.ts';

/** Named as the reference names them in its complaints. */
export type JsonTokenType =
  | 'ILLEGAL'
  | 'EOF'
  | 'NUMBER'
  | 'FLOAT'
  | 'BOOL'
  | 'STRING'
  | 'NULL'
  | 'LBRACK'
  | 'RBRACK'
  | 'LBRACE'
  | 'RBRACE'
  | 'COMMA'
  | 'COLON'
  | 'PERIOD';

export type JsonToken = {
  readonly type: JsonTokenType;
  readonly text: string;
  readonly position: Position;
};

const SINGLE: Readonly<Record<string, JsonTokenType | undefined>> = {
  '[': 'LBRACK',
  ']': 'RBRACK',
  '{': 'LBRACE',
  '}': 'RBRACE',
  ',': 'COMMA',
  ':': 'COLON',
  '.': 'PERIOD',
};

const WORDS: Readonly<Record<string, JsonTokenType | undefined>> = {
  true: 'BOOL',
  false: 'BOOL',
  null: 'NULL',
};

export function scanJson(cursor: Cursor): JsonToken {
  let character = cursor.next();
  while (isWhitespace(character)) character = cursor.next();
  const start = cursor.lastOffset;
  const position = cursor.lastPosition;
  const type = scanToken(cursor, character);
  return { type, text: cursor.text.slice(start, cursor.offset), position };
}

function scanToken(cursor: Cursor, character: string): JsonTokenType {
  if (isLetter(character)) return scanWord(cursor);
  if (isDecimal(character)) return scanNumber(cursor, character);
  if (character === END) return 'EOF';
  if (character === '"') return scanString(cursor);
  if (character === '-') {
    if (isDecimal(cursor.peek())) return scanNumber(cursor, cursor.next());
    cursor.fail('illegal char');
    return 'ILLEGAL';
  }
  const single = SINGLE[character];
  if (single === undefined) cursor.fail(`illegal char: ${character}`);
  return single ?? 'ILLEGAL';
}

function scanWord(cursor: Cursor): JsonTokenType {
  const start = cursor.lastOffset;
  while (isLetter(cursor.peek()) || isDigit(cursor.peek()) || cursor.peek() === '-') cursor.next();
  const word = cursor.text.slice(start, cursor.offset);
  const type = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  if (type === undefined) cursor.fail('illegal char');
  return type ?? 'ILLEGAL';
}

function scanNumber(cursor: Cursor, first: string): 'NUMBER' | 'FLOAT' {
  const start = cursor.lastOffset;
  scanDecimals(cursor);
  const long = cursor.offset > start + 1;
  if (['.', 'e', 'E'].includes(cursor.peek())) {
    scanFractionAndExponent(cursor, cursor.next());
    return 'FLOAT';
  }
  if (first === '0' && long) cursor.fail('numbers cannot start with 0');
  return 'NUMBER';
}

function scanString(cursor: Cursor): 'STRING' {
  for (;;) {
    const character = cursor.next();
    if (character === '"') return 'STRING';
    if (character === '\n' || character === END) {
      cursor.fail('literal not terminated');
      return 'STRING';
    }
    if (character === '\\') scanEscape(cursor);
  }
}
