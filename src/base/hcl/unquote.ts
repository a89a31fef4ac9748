/** Throws on bytes that are not UTF-8. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * What a quoted string means: escapes resolved, but not inside `${ }`, which is kept as it is written. Undefined if
 * it means nothing (an octal escape above 255, bytes that are not UTF-8).
 */
export function unquoteHcl(quoted: string): string | undefined {
  return unquote(quoted.slice(1, -1), true);
}

/** As above for JSON, where `${ }` means nothing special; a pair of surrogates is one character. */
export function unquoteJson(quoted: string): string | undefined {
  return unquote(quoted.slice(1, -1), false);
}

function unquote(body: string, interpolations: boolean): string | undefined {
  if (!body.includes('\\')) return body;
  const parts: Uint8Array[] = [];
  let plainFrom = 0;
  let at = 0;
  const takePlain = (): void => {
    parts.push(Buffer.from(body.slice(plainFrom, at), 'utf8'));
  };
  while (at < body.length) {
    if (interpolations && body.startsWith('${', at)) {
      at = endOfInterpolation(body, at + 2);
    } else if (body[at] === '\\') {
      takePlain();
      const escape = readEscape(body, at + 1);
      if (escape === undefined) return undefined;
      parts.push(escape.bytes);
      at = escape.end;
      plainFrom = at;
    } else {
      at += 1;
    }
  }
  takePlain();
  try {
    return utf8.decode(Buffer.concat(parts));
  } catch {
    return undefined;
  }
}

function endOfInterpolation(body: string, from: number): number {
  let braces = 1;
  let at = from;
  for (; at < body.length && braces > 0; at++) {
    if (body[at] === '{') braces += 1;
    if (body[at] === '}') braces -= 1;
  }
  return at;
}

type Escape = { readonly bytes: Uint8Array; readonly end: number };

const NAMED: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
]);

/** The escape whose letter stands at `at`. */
function readEscape(body: string, at: number): Escape | undefined {
  const letter = body[at] ?? '';
  const named = NAMED.get(letter);
  if (named !== undefined) return { bytes: Buffer.from(named), end: at + 1 };
  if (letter === 'x') return byteEscape(body.slice(at + 1, at + 3), 16, at + 3);
  if (letter === 'u') return characterEscape(body, at + 1, 4);
  if (letter === 'U') return characterEscape(body, at + 1, 8);
  return byteEscape(body.slice(at, at + 3), 8, at + 3);
}

function byteEscape(digits: string, base: number, end: number): Escape | undefined {
  const value = Number.parseInt(digits, base);
  return value <= 255 ? { bytes: Uint8Array.of(value), end } : undefined;
}

function characterEscape(body: string, at: number, length: number): Escape | undefined {
  const high = Number.parseInt(body.slice(at, at + length), 16);
  const end = at + length;
  if (!(high <= 0x10ffff)) return undefined;
  if (high < 0xd800 || high > 0xdfff) return { bytes: character(high), end };
  const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(body.slice(end, end + 6))?.[1];
  if (high > 0xdbff || low === undefined) return undefined;
  const code = 0x10000 + ((high - 0xd800) << 10) + (Number.parseInt(low, 16) - 0xdc00);
  return { bytes: character(code), end: end + 6 };
}

const character = (code: number): Uint8Array => Buffer.from(String.fromCodePoint(code), 'utf8');

/**
 * What a heredoc means, from its first `<` to the line end after its closing anchor. With `<<-` the indentation of
 * the closing anchor is taken from every line, if every line has it.
 */
export function readHeredoc(text: string): string {
  const firstLineEnd = text.indexOf('\n');
  const indented = text.startsWith('<<-');
  const anchorLength = firstLineEnd - (indented ? 3 : 2);
  let end = text.length - 1 - anchorLength;
  while (text[end + anchorLength - 1] === '\r') end -= 1;
  const content = text.slice(firstLineEnd + 1, end);
  return indented ? unindent(content) : content;
}

function unindent(content: string): string {
  const lines = content.split('\n');
  const prefix = lines.at(-1) ?? '';
  if (!lines.every((line) => line.startsWith(prefix))) return withoutTrailingBlanks(content);
  return [...lines.slice(0, -1).map((line) => line.slice(prefix.length)), ''].join('\n');
}

function withoutTrailingBlanks(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ' || text[end - 1] === '\t') end -= 1;
  return text.slice(0, end);
}
