import type { HclFile, HclItem, HclKey, HclLiteral, HclObject, HclValue } from './ast.ts';
import { Cursor } from './cursor.ts';
import { flattenObjects } from './flatten.ts';
import { HclError } from './hcl-error.ts';
import { MAX_HCL_DEPTH } from './limits.ts';
import { type Position, positionText } from './position.ts';
import { type JsonToken, type JsonTokenType, scanJson } from './scan-json.ts';
import { unquoteJson } from './unquote.ts';

/**
 * The JSON that HCL 1 reads: a comma may follow the last item. The reference drops or misreads what comes after a
 * missing comma, bracket or brace, lists in lists and bools in lists; we refuse the first three and keep the last.
 */
export function parseJson(text: string): HclFile {
  const parser = new Parser(new Cursor(text));
  return { root: flattenObjects(parser.file()), syntax: 'json' };
}

const LITERALS: Readonly<Partial<Record<JsonTokenType, HclLiteral['kind']>>> = {
  NUMBER: 'number',
  FLOAT: 'float',
  BOOL: 'bool',
  STRING: 'string',
  NULL: 'null',
};

class Parser {
  readonly #cursor: Cursor;
  #token: JsonToken;
  #depth = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
    this.#token = scanJson(cursor);
  }

  file(): HclObject {
    try {
      const root = this.#object();
      if (this.#token.type !== 'EOF') throw this.#unexpected('the end of the file');
      this.#throwLexicalError();
      return root;
    } catch (error) {
      this.#throwLexicalError();
      throw error;
    }
  }

  #throwLexicalError(): void {
    const { error } = this.#cursor;
    if (error !== undefined) {
      throw new HclError(`${positionText(error.position)}: ${error.reason}`, error.position);
    }
  }

  #take(): JsonToken {
    const taken = this.#token;
    if (taken.type !== 'EOF') this.#token = scanJson(this.#cursor);
    return taken;
  }

  #at(type: JsonTokenType): boolean {
    return this.#token.type === type;
  }

  #object(): HclObject {
    const { position } = this.#take();
    this.#deeper(position);
    const items: HclItem[] = [];
    while (!this.#at('RBRACE')) {
      items.push(this.#item());
      if (this.#at('COMMA')) this.#take();
      else if (!this.#at('RBRACE')) throw this.#unexpected('COMMA or RBRACE');
    }
    this.#take();
    this.#depth -= 1;
    return { kind: 'object', items, position };
  }

  #item(): HclItem {
    const token = this.#token;
    if (token.type !== 'STRING') throw this.#unexpected('STRING', 'expected: STRING got: ');
    this.#take();
    const key: HclKey = { name: this.#string(token), position: token.position, bare: true };
    if (this.#token.type !== 'COLON') throw this.#unexpected('COLON', 'expected: STRING got: ');
    this.#take();
    return { keys: [key], value: this.#value() };
  }

  #value(): HclValue {
    const token = this.#token;
    const kind = LITERALS[token.type];
    if (kind !== undefined) return this.#literal(kind);
    if (token.type === 'LBRACE') return this.#object();
    if (token.type === 'LBRACK') return this.#list();
    const { type, text, position } = token;
    throw new HclError(
      `Expected object value, got unknown token: ${positionText(position)} ${type} ${text}`,
      position,
    );
  }

  #list(): HclValue {
    const { position } = this.#take();
    this.#deeper(position);
    const elements: HclValue[] = [];
    while (!this.#at('RBRACK')) {
      elements.push(this.#element());
      if (this.#at('COMMA')) this.#take();
      else if (!this.#at('RBRACK')) throw this.#unexpected('COMMA or RBRACK');
    }
    this.#take();
    this.#depth -= 1;
    return { kind: 'list', elements, position };
  }

  #element(): HclValue {
    const { type } = this.#token;
    if (type === 'LBRACE') return this.#object();
    const kind = LITERALS[type];
    if (kind !== undefined && kind !== 'null') return this.#literal(kind);
    throw this.#unexpected('', 'unexpected token while parsing list: ');
  }

  #literal(kind: HclLiteral['kind']): HclLiteral {
    const token = this.#take();
    const text = kind === 'string' ? this.#string(token) : kind === 'null' ? '' : token.text;
    return { kind, text, position: token.position };
  }

  #string(token: JsonToken): string {
    if (this.#cursor.error !== undefined) return token.text; // not to be read; the error is told in the end
    const text = unquoteJson(token.text);
    if (text === undefined) {
      throw new HclError(
        `${positionText(token.position)}: invalid escape sequence in string`,
        token.position,
      );
    }
    return text;
  }

  /** In the library's words where it has any. */
  #unexpected(wanted: string, words?: string): HclError {
    const { type, position } = this.#token;
    return new HclError(
      words === undefined
        ? `${positionText(position)}: expected ${wanted}, got: ${type}`
        : `${words}${type}`,
      position,
    );
  }

  #deeper(position: Position): void {
    this.#depth += 1;
    if (this.#depth > MAX_HCL_DEPTH) {
      throw new HclError(
        `${positionText(position)}: nested deeper than ${MAX_HCL_DEPTH} levels`,
        position,
      );
    }
  }
}
