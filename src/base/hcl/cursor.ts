import type { Position } from './position.ts';

/** Stands for the end of the text, as in the reference: a NUL character ends it too. */
export const END = '\0';

/**
 * Goes through a text character by character, and keeps count of line and column. Remembers the last lexical error:
 * that one is told, since the scanner goes on after an error and the parser then often stumbles over what follows.
 */
export class Cursor {
  readonly text: string;
  /** Where the next character starts. */
  offset = 0;
  error: { readonly position: Position; readonly reason: string } | undefined;
  #line = 1;
  #column = 0;
  #lastLineLength = 0;
  #before = { offset: 0, line: 1, column: 0 };

  constructor(text: string) {
    this.text = text;
  }

  next(): string {
    this.#before = { offset: this.offset, line: this.#line, column: this.#column };
    this.#column += 1;
    if (this.offset >= this.text.length) return END;
    const character = this.#at(this.offset);
    this.offset += character.length;
    if (character === '\n') {
      this.#lastLineLength = this.#column;
      this.#line += 1;
      this.#column = 0;
    }
    if (character === '\0') this.fail('unexpected null character (0x00)');
    if (character === RESERVED) {
      this.fail('unicode code point U+E123 reserved for internal use');
      return '\ufffd';
    }
    return character;
  }

  /** Takes the last `next` back; may be called once after each. */
  unread(): void {
    this.offset = this.#before.offset;
    this.#line = this.#before.line;
    this.#column = this.#before.column;
  }

  peek(): string {
    return this.offset >= this.text.length ? END : this.#at(this.offset);
  }

  /** Where the character that `next` gave last starts in the text. */
  get lastOffset(): number {
    return this.#before.offset;
  }

  /** The position of the character that `next` gave last. */
  get lastPosition(): Position {
    if (this.#column > 0) return { line: this.#line, column: this.#column };
    if (this.#lastLineLength > 0) return { line: this.#line - 1, column: this.#lastLineLength };
    return { line: 1, column: 1 };
  }

  fail(reason: string): void {
    this.error = { position: this.lastPosition, reason };
  }

  #at(offset: number): string {
    return String.fromCodePoint(this.text.codePointAt(offset) ?? 0);
  }
}

/** The reference uses this one as a mark inside. */
const RESERVED = '\ue123';

export const isLetter = (character: string): boolean =>
  (character >= 'a' && character <= 'z') ||
  (character >= 'A' && character <= 'Z') ||
  character === '_' ||
  (character >= '\x80' && /^\p{L}$/u.test(character));

export const isDigit = (character: string): boolean =>
  isDecimal(character) || (character >= '\x80' && /^\p{Nd}$/u.test(character));

export const isDecimal = (character: string): boolean => character >= '0' && character <= '9';

export const isHexadecimal = (character: string): boolean => digitValue(character) < 16;

export const isWhitespace = (character: string): boolean =>
  character === ' ' || character === '\t' || character === '\n' || character === '\r';

/** 16 for what is no digit of any base. */
export function digitValue(character: string): number {
  if (isDecimal(character)) return character.charCodeAt(0) - 0x30;
  if (character >= 'a' && character <= 'f') return character.charCodeAt(0) - 0x57;
  if (character >= 'A' && character <= 'F') return character.charCodeAt(0) - 0x37;
  return 16;
}
