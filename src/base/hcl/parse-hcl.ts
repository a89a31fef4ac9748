import type { HclFile, HclItem, HclKey, HclList, HclLiteral, HclObject, HclValue } from './ast.ts';
import { Cursor } from './cursor.ts';
import { errorAt, HclError } from './hcl-error.ts';
import { MAX_HCL_DEPTH } from './limits.ts';
import { type HclToken, type HclTokenType, scanHcl } from './scan-hcl.ts';
import { readHeredoc, unquoteHcl } from './unquote.ts';

/** HCL 1, as the reference's library reads it: what it refuses is refused with its words, and a few things more. */
export function parseHcl(text: string): HclFile {
  // As in the library: only whole line ends are replaced, other carriage returns stay.
  const parser = new Parser(new Cursor(text.replaceAll('\r\n', '\n')));
  return { root: parser.file(), syntax: 'hcl' };
}

const LITERALS: Readonly<Partial<Record<HclTokenType, HclLiteral['kind']>>> = {
  NUMBER: 'number',
  FLOAT: 'float',
  BOOL: 'bool',
  STRING: 'string',
  HEREDOC: 'heredoc',
};

class Parser {
  readonly #cursor: Cursor;
  #token: HclToken;
  #depth = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
    this.#token = scanHcl(cursor);
  }

  file(): HclObject {
    try {
      const items = this.#items('EOF');
      this.#throwLexicalError();
      return { kind: 'object', items, position: { line: 1, column: 1 } };
    } catch (error) {
      this.#throwLexicalError();
      throw error;
    }
  }

  /** A lexical error explains more than what the parser made of it. */
  #throwLexicalError(): void {
    const { error } = this.#cursor;
    if (error !== undefined) throw errorAt(error.position, error.reason);
  }

  /** Takes the current token and makes the next one current. */
  #take(): HclToken {
    const taken = this.#token;
    if (taken.type !== 'EOF') this.#token = scanHcl(this.#cursor);
    return taken;
  }

  /** Items up to that token, which is left. */
  #items(end: 'EOF' | 'RBRACE'): HclItem[] {
    const items: HclItem[] = [];
    while (this.#token.type !== end && this.#token.type !== 'EOF') {
      items.push(this.#item());
      if (this.#token.type === 'COMMA') this.#take();
    }
    return items;
  }

  #item(): HclItem {
    const keys = this.#keys();
    const { type, position } = this.#token;
    if (type === 'ASSIGN') {
      this.#take();
      return { keys, value: this.#value() };
    }
    if (type === 'LBRACE') return { keys, value: this.#object() };
    const names = keys.map((key) => key.written).join(' ');
    throw errorAt(position, `key '${names}' expected start of object ('{') or assignment ('=')`);
  }

  /** Keys up to the token that starts the value, which is left. */
  #keys(): WrittenKey[] {
    const keys: WrittenKey[] = [];
    for (;;) {
      const { type, text, position } = this.#token;
      if (type === 'IDENT' || type === 'STRING') {
        const name = type === 'IDENT' ? text : this.#string(this.#token);
        keys.push({ name, written: text, position, bare: type === 'IDENT' });
        this.#take();
      } else {
        const wrong = wrongAfterKeys(type, keys.length);
        if (wrong !== undefined) throw errorAt(position, wrong);
        return keys;
      }
    }
  }

  #value(): HclValue {
    const token = this.#token;
    const literal = this.#literal();
    if (literal !== undefined) return literal;
    if (token.type === 'LBRACE') return this.#object();
    if (token.type === 'LBRACK') return this.#list();
    // The reference takes a file that ends here for a complete one, and drops the key.
    if (token.type === 'EOF') throw errorAt(token.position, 'expected a value, got: EOF');
    throw errorAt(token.position, `Unknown token: ${tokenText(token)}`);
  }

  #object(): HclObject {
    const { position } = this.#take();
    this.#deeper(position);
    const items = this.#items('RBRACE');
    const end = this.#token;
    if (end.type !== 'RBRACE') {
      const { line, column } = end.position;
      // As in the library, which looks at the end of the text once more.
      throw errorAt(
        { line, column: column + 1 },
        `object expected closing RBRACE got: ${end.type}`,
      );
    }
    this.#take();
    this.#depth -= 1;
    return { kind: 'object', items, position };
  }

  #list(): HclList {
    const { position } = this.#take();
    this.#deeper(position);
    const elements: HclValue[] = [];
    let commaNeeded = false;
    for (;;) {
      const token = this.#token;
      if (token.type === 'RBRACK') {
        this.#take();
        this.#depth -= 1;
        return { kind: 'list', elements, position };
      }
      if (token.type === 'COMMA') {
        this.#take();
        commaNeeded = false;
        continue;
      }
      if (commaNeeded) {
        throw errorAt(
          token.position,
          `error parsing list, expected comma or list end, got: ${token.type}`,
        );
      }
      elements.push(this.#element());
      commaNeeded = token.type !== 'LBRACK'; // as in the library: a list in a list needs none
    }
  }

  #element(): HclValue {
    const { type, position } = this.#token;
    const literal = this.#literal();
    if (literal !== undefined) return literal;
    if (type === 'LBRACE') return inList(position, 'object', () => this.#object());
    if (type === 'LBRACK') return inList(position, 'list', () => this.#list());
    throw errorAt(position, `unexpected token while parsing list: ${type}`);
  }

  #literal(): HclLiteral | undefined {
    const kind = LITERALS[this.#token.type];
    if (kind === undefined) return undefined;
    const token = this.#take();
    return { kind, text: this.#textOf(kind, token), position: token.position };
  }

  #textOf(kind: HclLiteral['kind'], token: HclToken): string {
    if (this.#cursor.error !== undefined) return token.text; // not to be read; the error is told in the end
    if (kind === 'heredoc') return readHeredoc(token.text);
    return kind === 'string' ? this.#string(token) : token.text;
  }

  #string(token: HclToken): string {
    if (this.#cursor.error !== undefined) return token.text;
    const text = unquoteHcl(token.text);
    if (text === undefined) throw errorAt(token.position, 'invalid escape sequence in string');
    return text;
  }

  #deeper(position: HclToken['position']): void {
    this.#depth += 1;
    if (this.#depth > MAX_HCL_DEPTH) {
      throw errorAt(position, `nested deeper than ${MAX_HCL_DEPTH} levels`);
    }
  }
}

type WrittenKey = HclKey & { readonly written: string };

function wrongAfterKeys(type: HclTokenType, keys: number): string | undefined {
  if (type === 'ILLEGAL') return 'illegal character';
  if (type === 'ASSIGN') {
    if (keys > 1) return 'nested object expected: LBRACE got: ASSIGN';
    return keys === 0 ? 'no object keys found!' : undefined;
  }
  if (type === 'LBRACE') return keys === 0 ? 'expected: IDENT | STRING got: LBRACE' : undefined;
  // What ends the block or the file misses a value, which is told in other words.
  if (keys > 0 && (type === 'RBRACE' || type === 'EOF')) return undefined;
  return `expected: IDENT | STRING | ASSIGN | LBRACE got: ${type}`;
}

const tokenText = ({ type, text, position }: HclToken): string =>
  `${position.line}:${position.column} ${type} ${text}`;

/** The library says of every list around an error that it is in it. */
function inList<T>(position: HclToken['position'], what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    const words = `error while trying to parse ${what} within list: ${error.message}`;
    throw new HclError(errorAt(position, words).message, error.position);
  }
}
