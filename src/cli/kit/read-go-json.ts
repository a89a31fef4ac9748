import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';

/** JSON as it was written: members in their order, numbers as their digits. */
export type GoJson =
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, GoJson])[] }
  | { readonly kind: 'array'; readonly items: readonly GoJson[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly digits: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'null' };

/** No file of entries nests deeper; hostile input must not cost us the stack. */
const MAX_DEPTH = 1000;

/** Reads one JSON value. Throws 'invalid' with the words of Go's `encoding/json`. */
export function readGoJson(text: string): GoJson {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** The value as text again, all digits of its numbers kept. */
export function goJsonText(json: GoJson): string {
  switch (json.kind) {
    case 'object':
      return `{${json.members.map(([name, value]) => `${JSON.stringify(name)}:${goJsonText(value)}`).join(',')}}`;
    case 'array':
      return `[${json.items.map(goJsonText).join(',')}]`;
    case 'number':
      return json.digits;
    case 'null':
      return 'null';
    case 'string':
    case 'bool':
      return JSON.stringify(json.value);
    default:
      return json satisfies never;
  }
}

const ESCAPES: Readonly<Record<string, string | undefined>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): GoJson {
    if (depth > MAX_DEPTH) throw new Fault('invalid', 'exceeded max depth');
    const first = this.#next();
    switch (first) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return { kind: 'string', value: this.#string() };
      case 't':
        return this.#literal('true', { kind: 'bool', value: true });
      case 'f':
        return this.#literal('false', { kind: 'bool', value: false });
      case 'n':
        return this.#literal('null', { kind: 'null' });
      default:
        if (first === '-' || isDigit(first)) return this.#number();
        throw this.#unexpected('looking for beginning of value');
    }
  }

  end(): void {
    if (this.#next() !== '') throw this.#unexpected('after top-level value');
  }

  #object(depth: number): GoJson {
    const members: [string, GoJson][] = [];
    this.#at++;
    if (this.#next() === '}') {
      this.#at++;
      return { kind: 'object', members };
    }
    for (;;) {
      if (this.#next() !== '"') {
        throw this.#unexpected('looking for beginning of object key string');
      }
      const name = this.#string();
      if (this.#next() !== ':') throw this.#unexpected('after object key');
      this.#at++;
      members.push([name, this.value(depth + 1)]);
      const after = this.#next();
      if (after !== ',' && after !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (after === '}') return { kind: 'object', members };
    }
  }

  #array(depth: number): GoJson {
    const items: GoJson[] = [];
    this.#at++;
    if (this.#next() === ']') {
      this.#at++;
      return { kind: 'array', items };
    }
    for (;;) {
      items.push(this.value(depth + 1));
      const after = this.#next();
      if (after !== ',' && after !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (after === ']') return { kind: 'array', items };
    }
  }

  #string(): string {
    const parts: string[] = [];
    let plainFrom = ++this.#at;
    for (;;) {
      const character = this.#here();
      if (character === '' || character < ' ') throw this.#unexpected('in string literal');
      if (character !== '"' && character !== '\\') {
        this.#at++;
        continue;
      }
      parts.push(this.#text.slice(plainFrom, this.#at++));
      if (character === '"') return parts.join('').toWellFormed();
      parts.push(this.#escape());
      plainFrom = this.#at;
    }
  }

  #escape(): string {
    const plain = ESCAPES[this.#here()];
    if (plain === undefined && this.#here() !== 'u') {
      throw this.#unexpected('in string escape code');
    }
    this.#at++;
    if (plain !== undefined) return plain;
    const from = this.#at;
    while (this.#at < from + 4) {
      if (!/^[0-9a-fA-F]$/.test(this.#here())) {
        throw this.#unexpected('in \\u hexadecimal character escape');
      }
      this.#at++;
    }
    return String.fromCharCode(Number.parseInt(this.#text.slice(from, this.#at), 16));
  }

  #literal(word: string, value: GoJson): GoJson {
    for (const expected of word) {
      if (this.#here() !== expected) {
        throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      }
      this.#at++;
    }
    return value;
  }

  #number(): GoJson {
    const from = this.#at;
    if (this.#here() === '-') this.#at++;
    if (this.#here() === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#here() === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (this.#here() === 'e' || this.#here() === 'E') {
      this.#at++;
      if (this.#here() === '+' || this.#here() === '-') this.#at++;
      this.#digits('in exponent of numeric literal');
    }
    return { kind: 'number', digits: this.#text.slice(from, this.#at) };
  }

  /** One or more. */
  #digits(place: string): void {
    if (!isDigit(this.#here())) throw this.#unexpected(place);
    while (isDigit(this.#here())) this.#at++;
  }

  /** The next character that is no white space; '' at the end. */
  #next(): string {
    while (/^[ \t\r\n]$/.test(this.#here())) this.#at++;
    return this.#here();
  }

  #here(): string {
    return this.#text.charAt(this.#at);
  }

  #unexpected(place: string): Fault {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return new Fault('invalid', 'unexpected end of JSON input');
    return new Fault('invalid', `invalid character ${quoteFirstByte(code)} ${place}`);
  }
}

const isDigit = (character: string): boolean => character >= '0' && character <= '9';

/** Go reads bytes and tells the one it stumbled over. */
function quoteFirstByte(code: number): string {
  const [byte = 0] = Buffer.from(String.fromCodePoint(code));
  const character = String.fromCharCode(byte);
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  return `'${goQuote(character).slice(1, -1)}'`;
}
